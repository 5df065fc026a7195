//! Lists that several views have in their headers: of tasks, and of blocks of the kernel.

use egui::Ui;

use super::context::{Scene, block_name};
use crate::run::Block;
use crate::ui::kit::widgets::choose;

/// A list of tasks to choose from; the first one where the chosen one is not there.
pub fn choose_task(ui: &mut Ui, scene: &Scene<'_>, name: &str, task: &mut usize) {
    let tasks = scene.tasks();
    if !tasks.contains(task) {
        *task = 1;
    }
    let names: Vec<String> = tasks.iter().map(|task| format!("Task {task}")).collect();
    let options: Vec<(usize, &str)> = tasks.into_iter().zip(names.iter().map(String::as_str)).collect();
    choose(ui, name, task, &options);
}

/// A list of blocks to choose from.
pub fn choose_block(ui: &mut Ui, scene: &Scene<'_>, name: &str, block: &mut Block) {
    let mut blocks = vec![Block::All];
    blocks.extend(scene.tasks().into_iter().map(Block::Task));
    let names: Vec<String> = blocks.iter().map(|&block| block_name(block)).collect();
    let options: Vec<(Block, &str)> = blocks.into_iter().zip(names.iter().map(String::as_str)).collect();
    choose(ui, name, block, &options);
}
