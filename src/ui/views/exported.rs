//! What the views keep between frames, seen from an export: pictures belong to the egui that made them, choices to the user.

use std::sync::Arc;

use super::ViewState;
use crate::run::Snapshot;

impl ViewState {
    /// Lets go of pictures that belong to one egui, before another draws the views; they are made again when they are drawn.
    pub fn forget_textures(&mut self) {
        self.gram.forget_textures();
        self.compare.forget_textures();
        self.beside.forget_textures();
        self.waterfall.forget_textures();
        self.distances.forget_textures();
        self.ledger.forget_textures();
        self.disk.forget_textures();
    }

    /// What is chosen in the views of an animation, for a thread to take away.
    pub fn for_film(&self) -> Self {
        Self {
            gram: self.gram.chosen(),
            velocity: self.velocity.clone(),
            scale: self.scale.clone(),
            accuracy: self.accuracy.clone(),
            ..Self::default()
        }
    }

    /// Has colours mean the same in all pictures of these snapshots.
    pub fn prepare_film(&mut self, snapshots: &[Arc<Snapshot>], cancelled: impl Fn() -> bool) {
        self.gram.widen_over(snapshots, cancelled);
    }
}
