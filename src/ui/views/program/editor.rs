//! Holds the text of a network while it is edited: its origin, the result of reading it, and when it becomes the run's network.
//!
//! Guarantees: the text stays the user's until the settings name another network, by a choice there or by undo; nothing of it
//! reaches the settings before it is applied, and only a text that is a valid network can be applied.

use std::path::PathBuf;
use std::sync::Arc;

use egui::{Context, Id};

use super::files::{FileResult, FileWork, opened, saved};
use super::reader::{Network, ReadRequest, network};
use crate::spec::text::{TextError, builtin};
use crate::spec::{DataShape, NetworkSpec};
use crate::ui::app::action_queue::Actions;
use crate::ui::app::actions::{RunAction, ShellAction};
use crate::ui::kit::background_task::BackgroundTask;
use crate::ui::shell::toast::Toast;
use crate::worker::Waker;

/// Names a request made by a button or a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EditorAction {
    /// Start from this network that comes with the program.
    Begin(&'static str),
    Open,
    Save,
    /// Carry the request out at the path that was typed.
    OpenTyped,
    SaveTyped,
    /// Restore the text of the settings.
    Revert,
    Apply,
}

/// Holds the text and everything known about it.
pub struct Editor {
    /// True if the text is shown.
    pub open: bool,
    pub text: String,
    /// The source of its settings.
    base: NetworkSpec,
    /// Its name, if it is the user's and has one of its own.
    name: Option<String>,
    /// The settings of the window, as last seen.
    draft: Option<NetworkSpec>,
    image: [usize; 3],
    classes: usize,
    /// Results of reading texts; the last one is kept.
    networks: BackgroundTask<ReadRequest, (), Result<Arc<Network>, TextError>>,
    /// True if there is no thread to read texts.
    unread: bool,
    /// The current text, to be read.
    pending: Option<ReadRequest>,
    /// The last text that was a valid network.
    good: Option<Arc<Network>>,
    files: Option<FileWork>,
    /// The path typed instead, if the system has no file dialog.
    pub typed: Option<String>,
    /// True if the text had the keyboard in the last frame.
    pub writes: bool,
}

impl Default for Editor {
    fn default() -> Self {
        Self {
            open: false,
            text: String::new(),
            base: NetworkSpec::default(),
            name: None,
            draft: None,
            image: [0; 3],
            classes: 0,
            networks: BackgroundTask::new("program text", 1),
            unread: false,
            pending: None,
            good: None,
            files: None,
            typed: None,
            writes: false,
        }
    }
}

impl Editor {
    /// Returns the id of the text field, so that a caller can focus it.
    pub fn id() -> Id {
        Id::unique("the text of the program")
    }

    /// Compares the settings with those last seen: if they name another network, its text is shown.
    pub fn follow(&mut self, network: &NetworkSpec, shape: Option<&DataShape>) {
        if let Some(shape) = shape {
            (self.image, self.classes) = (shape.image, shape.outputs);
        }
        if self.draft.as_ref() == Some(network) {
            return;
        }
        let is_same = |other: &NetworkSpec| (&other.program, &other.text) == (&network.program, &network.text);
        if !self.draft.as_ref().is_some_and(is_same) {
            self.text = network.source_text().to_owned();
            self.base = network.clone();
            self.name = network.text.as_ref().map(|_| network.program.clone());
        } else if is_same(&self.base) {
            self.base = network.clone();
        }
        self.draft = Some(network.clone());
    }

    /// Returns whether this is its text.
    pub fn is_text_of(&self, network: &NetworkSpec) -> bool {
        self.text == network.source_text()
    }

    /// Submits the text to be read, unless it was, and collects the result; `run` is the network that is trained.
    pub fn read(&mut self, ctx: &Context, run: Option<(&NetworkSpec, [usize; 3], usize)>) {
        let of_run = run.filter(|(network, ..)| self.is_text_of(network));
        let question = match of_run {
            Some((network, image, classes)) => {
                let name = network.program.clone();
                ReadRequest { text: self.text.clone(), name, base: network.clone(), exact: true, image, classes }
            }
            None => ReadRequest {
                text: self.text.clone(),
                name: self.own_name(),
                base: self.base.clone(),
                exact: self.is_text_of(&self.base),
                image: self.image,
                classes: self.classes,
            },
        };
        if self.unread {
            return;
        }
        if let Err(err) = self.networks.start(ctx, |question, ()| network(question).map(Arc::new)) {
            log::warn!("texts of networks are not read: {err}");
            self.unread = true;
            return;
        }
        self.networks.get(&question, || ());
        self.pending = Some(question);
        if let Some((_, Ok(network))) = self.networks.known().next() {
            self.good = Some(Arc::clone(network));
        }
    }

    /// Returns whether the settings have another text.
    pub fn is_edited(&self) -> bool {
        self.draft.as_ref().is_some_and(|draft| !self.is_text_of(draft))
    }

    /// Returns the result of reading the text, as far as it is known.
    pub fn network(&self) -> Option<&Arc<Network>> {
        self.networks.known().next()?.1.as_ref().ok()
    }

    /// Returns the last text that was a valid network.
    pub fn good(&self) -> Option<&Arc<Network>> {
        self.good.as_ref()
    }

    /// Returns the error in the text.
    pub fn error(&self) -> Option<&TextError> {
        self.networks.known().next()?.1.as_ref().err()
    }

    /// Returns whether the result is that of the current text.
    pub fn is_read(&self) -> bool {
        let last = self.networks.known().next().map(|(question, _)| question);
        last.is_some_and(|last| last.text == self.text) && last == self.pending.as_ref()
    }

    /// Returns the name of the text.
    pub fn name(&self) -> String {
        match self.network().filter(|_| self.is_read()) {
            Some(network) => network.spec.program.clone(),
            None if self.is_text_of(&self.base) => self.base.program.clone(),
            None => self.own_name(),
        }
    }

    /// Returns its name if it does not come with the program.
    fn own_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("my_{}", self.base.program))
    }

    /// Returns the network that would be trained; none while the text is invalid or being read.
    pub fn candidate(&self) -> Option<NetworkSpec> {
        let network = self.network().filter(|_| self.is_read())?;
        let draft = self.draft.as_ref().filter(|draft| self.is_text_of(draft));
        Some(draft.unwrap_or(&network.spec).clone())
    }

    /// Carries out a request.
    pub fn execute(&mut self, wish: EditorAction, actions: &mut Actions, wake: Waker) {
        match wish {
            EditorAction::Begin(name) => {
                let Some(network) = builtin(name) else { return };
                self.base = self.draft.clone().unwrap_or_default().with_builtin(name);
                self.name = None;
                network.text.clone_into(&mut self.text);
            }
            EditorAction::Revert => {
                if let Some(draft) = self.draft.take() {
                    // Treated as seen for the first time.
                    self.follow(&draft, None);
                }
            }
            EditorAction::Apply => {
                if let Some(network) = self.candidate() {
                    actions.push(RunAction::Apply(Box::new(network)));
                }
            }
            EditorAction::Open | EditorAction::Save if self.files.is_some() => {}
            EditorAction::Open => self.wait(FileWork::open(wake), actions),
            EditorAction::Save => self.wait(FileWork::save(self.text.clone(), &self.name(), wake), actions),
            EditorAction::OpenTyped => {
                let path = self.typed.clone().unwrap_or_default();
                self.take(opened(path.trim().as_ref()), actions);
            }
            EditorAction::SaveTyped => {
                let path = self.typed.clone().unwrap_or_default();
                self.take(saved(path.trim().as_ref(), &self.text), actions);
            }
        }
    }

    /// Reads the text of a file.
    pub fn open_file(&mut self, path: PathBuf, wake: Waker) -> std::io::Result<()> {
        self.files = Some(FileWork::read(path, wake)?);
        Ok(())
    }

    fn wait(&mut self, work: std::io::Result<FileWork>, actions: &mut Actions) {
        match work {
            Ok(work) => self.files = Some(work),
            Err(err) => actions.push(ShellAction::Say(Toast::failed(format!("No file dialog: {err}")))),
        }
    }

    /// Collects the result of a file dialog.
    pub fn poll(&mut self, actions: &mut Actions) {
        let Some(result) = self.files.as_ref().and_then(FileWork::poll) else { return };
        self.files = None;
        result.into_iter().for_each(|result| self.take(result, actions));
    }

    fn take(&mut self, result: FileResult, actions: &mut Actions) {
        match result {
            FileResult::Opened(text, name) => {
                self.base = self.draft.clone().unwrap_or_default();
                (self.text, self.name, self.typed) = (text, Some(name), None);
            }
            FileResult::Saved(path, name) => {
                (self.name, self.typed) = (Some(name), None);
                let shown = path.display();
                actions.push(ShellAction::Say(Toast::done(format!("Saved as {shown}"))));
            }
            FileResult::Failed(sentence) => actions.push(ShellAction::Say(Toast::failed(sentence))),
            FileResult::NoDialog => _ = self.typed.get_or_insert_default(),
        }
    }
}
