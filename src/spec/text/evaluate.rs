//! Evaluates a text within limits of operations, depth, sizes and time. A text can only write lines of a program and
//! declare settings.

use std::any::TypeId;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cpu_time::ThreadTime;
use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicIteratorPackage, BasicMapPackage, BasicMathPackage, BasicStringPackage,
    LogicPackage, Package as _,
};
use rhai::{Dynamic, Engine, EvalAltResult, Module, NativeCallContext, OptimizationLevel, Scope};

use super::arguments::{Arguments, described, shapes};
use super::effort::{MOST_COMPARISONS, MOST_VARIABLES, comparisons};
use super::error::{FORBIDDEN_KEYWORDS, TextError};
use super::functions::{FUNCTIONS, Function};
use super::setting::{Declared, Setting, WIDTH, listed};
use super::writer::Writer;
use crate::spec::ops::{Arithmetic, Op, Scale};
use crate::spec::{Activation, Builder, Program, Shapes, Value};

/// Largest number of bytes of a text.
pub const MOST_BYTES: usize = 256 << 10;
/// Largest number of steps of an evaluation; the longest program takes a twentieth of them.
const MOST_STEPS: u64 = 2_000_000;
/// Largest CPU time of an evaluation, whatever the load of the machine.
const MOST_TIME: Duration = Duration::from_millis(200);
/// Wall-clock time after which [`LONG`] of CPU time ends an evaluation: nobody waits longer than necessary, and a valid
/// text is not refused because the machine is busy.
const PATIENCE: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_millis(60);
/// Steps between two readings of the clock.
const CLOCK: u64 = 32;
/// Largest depth of calls, of an expression, and of an expression within a function.
const MOST_CALLS: usize = 32;
const MOST_DEPTH: usize = 64;
/// Largest numbers of characters of a text, of elements of a list including nested ones, and of keys of a map.
const MOST_LETTERS: usize = 16 << 10;
const MOST_THINGS: usize = 4096;
const MOST_NAMES: usize = 256;
/// Stack size of the evaluating thread: several times what the deepest text within these limits needs.
const STACK: usize = 64 << 20;

/// The inputs of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EvaluationInputs<'a> {
    /// Channels, height and width.
    pub image: [usize; 3],
    pub classes: usize,
    /// The function that the text refers to as `act`.
    pub activation: Activation,
    /// Settings that differ from their defaults, or all of them.
    pub settings: &'a BTreeMap<String, Setting>,
}

/// The result of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    pub program: Arc<Program>,
    /// The settings in the order in which the text declares them.
    pub settings: Vec<Declared>,
    /// The activation that the text declares as usual, if any.
    pub activation: Option<Activation>,
}

/// The outcome of an evaluation: the settings as far as they were read, its usual activation, and the program or the error.
pub(super) struct Outcome {
    pub settings: Vec<Declared>,
    pub activation: Option<Activation>,
    /// True if the text was parsed and no setting was refused.
    pub is_read: bool,
    pub described: Result<Arc<Described>, TextError>,
}

impl Outcome {
    fn refused(error: TextError) -> Self {
        Self { settings: Vec::new(), activation: None, is_read: false, described: Err(error) }
    }
}

/// Evaluates a text on its own thread, whose stack suffices wherever this is called from.
pub(super) fn evaluate(text: &str, inputs: &EvaluationInputs<'_>, tensors: Option<&Arc<Shapes>>) -> Outcome {
    if text.len() > MOST_BYTES {
        let message = format!("a network's text has at most {} KiB, and this one has more", MOST_BYTES >> 10);
        return Outcome::refused(TextError::of_all(message));
    }
    if comparisons(text) > MOST_COMPARISONS {
        let message = "so long a text has too many variables at once: give names that are no longer needed to new values, let h \
                       = relu(h), or put parts of it into functions";
        return Outcome::refused(TextError::of_all(message.to_owned()));
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("text".to_owned()).stack_size(STACK);
        let failed = || Outcome::refused(TextError::of_all("this text could not be evaluated".to_owned()));
        let Ok(thread) = thread.spawn_scoped(scope, || read(text, inputs, tensors)) else { return failed() };
        thread.join().unwrap_or_else(|_| failed())
    })
}

/// The value that a text refers to as `image`, of which only the sides can be read.
#[derive(Clone)]
struct Image([usize; 3]);

type Shared = Rc<RefCell<Writer>>;
type Failed = Box<EvalAltResult>;

fn read(text: &str, inputs: &EvaluationInputs<'_>, tensors: Option<&Arc<Shapes>>) -> Outcome {
    let writer = Rc::new(RefCell::new(Writer {
        builder: tensors.map_or_else(|| Builder::new(inputs.image), |tensors| Builder::adopting(inputs.image, tensors)),
        is_free: tensors.is_some(),
        activation: inputs.activation,
        given: inputs.settings.clone(),
        declared: Vec::new(),
        usual: None,
        refused: false,
    }));
    let begun = Rc::new(Cell::new(Clock::begin()));
    let engine = engine(&writer, inputs, &begun);
    let tree = match engine.compile(text) {
        Ok(tree) => tree,
        Err(error) => return Outcome::refused(TextError::of_syntax(text, &error)),
    };
    // What is parsed is bounded by its length.
    begun.set(Clock::begin());
    let ended = engine.eval_ast_with_scope::<Dynamic>(&mut Scope::new(), &tree);
    let mut writer = writer.borrow_mut();
    let builder = std::mem::replace(&mut writer.builder, Builder::new(inputs.image));
    let program = ended.map_err(|error| TextError::of_evaluation(*error)).and_then(|last| {
        let at_end = |message| TextError::at_end(text, message);
        let found = match &last {
            last if last.is_unit() => {
                "nothing: the last line is an expression like dense(\"head\", h, classes)".to_owned()
            }
            last => described(last),
        };
        let logits =
            last.try_cast::<Value>().ok_or_else(|| at_end(format!("a text ends in its logits, not in {found}")))?;
        check_given(&writer).map_err(TextError::of_all)?;
        builder.finish(logits, inputs.classes).map_err(at_end)
    });
    let (settings, activation) = (std::mem::take(&mut writer.declared), writer.usual);
    let described = program
        .map(|program| Arc::new(Described { program: Arc::new(program), settings: settings.clone(), activation }));
    Outcome { settings, activation, is_read: !writer.refused, described }
}

/// Checks that the text declares every given setting.
fn check_given(writer: &Writer) -> Result<(), String> {
    let names: Vec<&str> = writer.declared.iter().map(|setting| setting.name.as_str()).collect();
    // A width is given to every text, whether it declares one or not.
    let is_odd = |given: &&String| *given != WIDTH && !names.contains(&given.as_str());
    let Some(odd) = writer.given.keys().find(is_odd) else { return Ok(()) };
    let odd = super::arguments::shortened(odd);
    Err(match names.as_slice() {
        [] => format!("this network has no setting {odd}, and no other"),
        [one] => format!("this network has no setting {odd}: its setting is {one}"),
        names => format!("this network has no setting {odd}: its settings are {}", listed(names, "and")),
    })
}

fn engine(writer: &Shared, inputs: &EvaluationInputs<'_>, begun: &Rc<Cell<Clock>>) -> Engine {
    let mut engine = Engine::new_raw();
    let packages = [
        ArithmeticPackage::new().as_shared_module(),
        LogicPackage::new().as_shared_module(),
        BasicMathPackage::new().as_shared_module(),
        BasicStringPackage::new().as_shared_module(),
        BasicIteratorPackage::new().as_shared_module(),
        BasicArrayPackage::new().as_shared_module(),
        BasicMapPackage::new().as_shared_module(),
    ];
    packages.into_iter().for_each(|package| {
        engine.register_global_module(package);
    });
    engine
        .set_optimization_level(OptimizationLevel::None)
        .set_max_operations(MOST_STEPS)
        .set_max_call_levels(MOST_CALLS)
        .set_max_expr_depths(MOST_DEPTH, MOST_DEPTH)
        .set_max_string_size(MOST_LETTERS)
        .set_max_array_size(MOST_THINGS)
        .set_max_map_size(MOST_NAMES)
        .set_max_variables(MOST_VARIABLES)
        .set_max_functions(MOST_NAMES)
        .set_fail_on_invalid_map_property(true);
    for word in FORBIDDEN_KEYWORDS {
        engine.disable_symbol(*word);
    }
    let clock = Rc::clone(begun);
    engine.on_progress(move |steps| {
        (steps % CLOCK == 0 && clock.get().is_over()).then(|| Dynamic::from("time".to_owned()))
    });
    let mut given = Module::new();
    given.set_var("x", writer.borrow().builder.input());
    given.set_var("classes", whole(inputs.classes));
    given.set_var("image", Image(inputs.image));
    engine.register_global_module(given.into());
    engine.register_type_with_name::<Value>("value").register_type_with_name::<Image>("image");
    for (axis, side) in ["channels", "height", "width"].into_iter().enumerate() {
        engine.register_get(side, move |image: &mut Image| whole(image.0[axis]));
    }
    for function in FUNCTIONS {
        for count in function.takes.clone() {
            let (writer, begun) = (Rc::clone(writer), Rc::clone(begun));
            let takes = vec![TypeId::of::<Dynamic>(); count];
            engine.register_raw_fn(function.name, takes, move |context, given| {
                call(&writer, function, &context, begun.get(), given.iter().map(|given| (**given).clone()).collect())
            });
        }
    }
    operators(&mut engine, writer);
    engine
}

/// The start of an evaluation, by wall clock and CPU time.
#[derive(Clone, Copy)]
struct Clock {
    core: ThreadTime,
    wall: Instant,
}

impl Clock {
    fn begin() -> Self {
        Self { core: ThreadTime::now(), wall: Instant::now() }
    }

    fn is_over(&self) -> bool {
        let core = self.core.elapsed();
        core > MOST_TIME || (core > LONG && self.wall.elapsed() > PATIENCE)
    }
}

fn whole(number: usize) -> Dynamic {
    Dynamic::from(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Calls a function of the language.
fn call(
    writer: &Shared,
    function: &'static Function,
    context: &NativeCallContext<'_>,
    begun: Clock,
    given: Vec<Dynamic>,
) -> Result<Dynamic, Failed> {
    let position = context.call_position();
    if begun.is_over() {
        return Err(EvalAltResult::ErrorTerminated(Dynamic::UNIT, position).into());
    }
    let mut writer = writer.borrow_mut();
    writer.builder.at(position.line());
    let read: Vec<Value> = given.iter().filter_map(|given| given.clone().try_cast()).collect();
    let name = given.first().and_then(|first| first.as_immutable_string_ref().ok()).map(|name| name.to_string());
    let ended =
        Arguments::new(function.name, function.options, given).and_then(|given| (function.run)(&mut writer, given));
    ended.map_err(|why| {
        // The error names the function, since an operation knows only its layer's name, and adds the shapes where they are
        // missing.
        let called =
            name.and_then(|name| Some((why.strip_prefix(&format!("{name}: "))?.to_owned(), format!(" {name}"))));
        let (why, name) = called.unwrap_or((why, String::new()));
        let shapes = shapes(read.iter().map(|value| writer.shape(*value)));
        let of = if shapes.is_empty() || why.contains('[') { String::new() } else { format!(" of {shapes}") };
        let why = if function.computes() { format!("{}{name}{of}: {why}", function.name) } else { why };
        EvalAltResult::ErrorRuntime(why.into(), position).into()
    })
}

/// Registers `+ - *` of values, and of a value and a number, and `v.shape`.
fn operators(engine: &mut Engine, writer: &Shared) {
    let binary = [("+", Arithmetic::Add), ("-", Arithmetic::Subtract), ("*", Arithmetic::Multiply)];
    for (sign, operation) in binary {
        let writer = Rc::clone(writer);
        engine.register_fn(sign, move |context: NativeCallContext<'_>, a: Value, b: Value| {
            operate(&writer, &context, Op::Arithmetic(operation), &[a, b])
        });
    }
    /// Maps the number of an operator to the affine function of the value: factor and summand.
    type Affine = fn(f64) -> (f64, f64);
    let right: [(&str, Affine); 4] =
        [("+", |c| (1.0, c)), ("-", |c| (1.0, -c)), ("*", |c| (c, 0.0)), ("/", |c| (1.0 / c, 0.0))];
    for (sign, affine) in right {
        scaled(engine, writer, sign, affine, false);
    }
    let left: [(&str, Affine); 3] = [("+", |c| (1.0, c)), ("-", |c| (-1.0, c)), ("*", |c| (c, 0.0))];
    for (sign, affine) in left {
        scaled(engine, writer, sign, affine, true);
    }
    let negated = Rc::clone(writer);
    engine.register_fn("-", move |context: NativeCallContext<'_>, a: Value| {
        operate(&negated, &context, Op::Scale(Scale { by: -1.0, plus: 0.0 }), &[a])
    });
    let shaped = Rc::clone(writer);
    engine.register_get("shape", move |value: &mut Value| {
        shaped.borrow().shape(*value).iter().map(|side| whole(*side)).collect::<rhai::Array>()
    });
}

/// Registers an operator between a value and a number, whole or not; if `turned`, the number is on the left.
fn scaled(engine: &mut Engine, writer: &Shared, sign: &str, affine: fn(f64) -> (f64, f64), turned: bool) {
    let write = {
        let writer = Rc::clone(writer);
        move |context: &NativeCallContext<'_>, value: Value, number: f64| {
            let (by, plus) = affine(number);
            if !by.is_finite() || !plus.is_finite() {
                let why = format!("a value can be joined with a finite number, not with {number:?}");
                return Err(EvalAltResult::ErrorRuntime(why.into(), context.call_position()).into());
            }
            operate(&writer, context, Op::Scale(Scale { by, plus }), &[value])
        }
    };
    let whole = write.clone();
    if turned {
        engine.register_fn(sign, move |context: NativeCallContext<'_>, c: f64, v: Value| write(&context, v, c));
        engine.register_fn(sign, move |context: NativeCallContext<'_>, c: i64, v: Value| whole(&context, v, c as f64));
    } else {
        engine.register_fn(sign, move |context: NativeCallContext<'_>, v: Value, c: f64| write(&context, v, c));
        engine.register_fn(sign, move |context: NativeCallContext<'_>, v: Value, c: i64| whole(&context, v, c as f64));
    }
}

fn operate(writer: &Shared, context: &NativeCallContext<'_>, op: Op, reads: &[Value]) -> Result<Value, Failed> {
    let position = context.call_position();
    let mut writer = writer.borrow_mut();
    writer.builder.at(position.line());
    writer.write(op, "", reads).map_err(|why| EvalAltResult::ErrorRuntime(why.into(), position).into())
}
