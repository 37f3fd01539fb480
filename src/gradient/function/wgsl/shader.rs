//! A user's WGSL: what it must define, what is given to it, and its mistakes in its own lines.
//!
//! Our part of the shader follows the user's, whose line numbers stay what they are.

use std::path::{Path, PathBuf};

use wgpu::naga::front::wgsl;
use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};
use wgpu::naga::{Block, Constant, Expression, Function, Literal, Module, ScalarKind, Span, Statement, TypeInner};

use super::storage;
use crate::{Error, Result};

/// Variables that fit an array in a function: WGSL allows 8 KiB of such.
pub(crate) const MOST_IN_ARRAY: usize = 2_048;

/// What the user's function looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `fn f(x: ptr<function, array<f32, N>>) -> f32`
    Array,
    /// `fn f() -> f32`, which reads its own storage buffer, or calls `parameter(i)`.
    Accessor,
    /// `fn term(i: u32) -> f32`, which calls `parameter(j)`: the function is the sum of so many.
    Terms(u32),
}

/// A shader that is known to be sound.
#[derive(Debug, Clone)]
pub(crate) struct Shader {
    pub(crate) form: Form,
    /// Whether there are loops in it.
    pub(crate) loops: bool,
    /// Moves of an invocation that evaluates what a sum makes of them.
    pub(crate) moves_at_once: usize,
    /// The user's text and ours behind it, with the entry points: in all of them [`MAIN`], then [`SIZES`] and so on.
    pub(crate) modules: Vec<(String, &'static [&'static str])>,
}

/// The number of the entry point that evaluates moves.
pub(crate) const MAIN: usize = 0;
/// Of a sum of terms: what those are like that a move changes.
pub(crate) const SIZES: usize = 1;
/// Of a sum of terms: single ones.
pub(crate) const EACH: usize = 2;
/// Of a sum of terms without loops: as [`MAIN`], where moved points share what is read.
pub(crate) const SHARED: usize = 3;

/// Moves that share what is read. On lavapipe reading costs a point as much as all else at 12 of them, as a load goes
/// lane by lane there; each takes three registers.
pub(crate) const MOVES_AT_ONCE: usize = 16;

/// Constants and functions that every user's function may use.
const GIVEN: &str = include_str!("../../../../shaders/user/given.wgsl");
/// Evaluates `f` for one probe an invocation.
const VALUES: &str = include_str!("../../../../shaders/user/values.wgsl");
/// As [`GIVEN`], where moved points share what is read.
const GIVEN_SHARED: &str = include_str!("../../../../shaders/user/given_shared.wgsl");
/// Evaluates what the terms' sum makes of some moves an invocation.
const CHANGES: &str = include_str!("../../../../shaders/user/changes.wgsl");
/// What the terms are like.
const TERMS: &str = include_str!("../../../../shaders/user/terms.wgsl");
/// `evaluate` for [`Form::Array`].
const FROM_ARRAY: &str = include_str!("../../../../shaders/user/from_array.wgsl");
/// `evaluate` for [`Form::Accessor`].
const FROM_ACCESSOR: &str = "fn gpu_train_evaluate() -> f32 { return f(); }\n";

/// Reads the user's `text`, from the file `path`, for `variables` parameters; an invocation evaluates a sum at so many
/// moves.
///
/// # Errors
/// [`Error::Shader`] with line and caret where it is no WGSL, or where it defines none of the [`Form`]s.
pub(crate) fn read(path: &Path, text: &str, variables: usize, moves: usize) -> Result<Shader> {
    let user = User { path, text };
    let count = format!("\nconst N = {variables};\n");
    let alone = format!("{text}{count}{GIVEN}");
    let module = user.parse(&alone)?;
    let form = user.form(&module, &alone, variables)?;
    user.validate(&module)?;
    let at = |(span, problem): storage::Refusal| user.at(span, &problem);
    let text = match storage::of(&module).map_err(at)? {
        Some(buffer) => storage::rewritten(&module, buffer, text).map_err(at)?,
        None => text.into(),
    };
    let loops = module.functions.iter().any(|(_, function)| has_loop(&function.body));
    // A term that loops keeps what it reads in no register, and each of its trips counts on some drivers.
    let moves_at_once = if loops { 1 } else { moves };
    let (ours, entries): (_, &[_]) = match form {
        Form::Array => ([VALUES, FROM_ARRAY].concat(), &["gpu_train_main"]),
        Form::Accessor => ([VALUES, FROM_ACCESSOR].concat(), &["gpu_train_main"]),
        Form::Terms(_) => {
            ([&changes(moves_at_once), TERMS].concat(), &["gpu_train_main", "gpu_train_sizes", "gpu_train_each"])
        }
    };
    let source = format!("{text}{count}{GIVEN}{ours}");
    User { path, text: &text }.parse(&source)?;
    let mut modules = vec![(source, entries)];
    if matches!(form, Form::Terms(_)) && moves_at_once > 1 {
        let shared = format!("{text}{count}{GIVEN_SHARED}{}", changes(moves_at_once));
        modules.push((shared, &["gpu_train_main"]));
    }
    Ok(Shader { form, loops, moves_at_once, modules })
}

/// [`CHANGES`] for so many moves an invocation.
fn changes(moves: usize) -> String {
    let mut text = format!("const GPU_TRAIN_MOVES = {moves}u;\n");
    for line in CHANGES.lines() {
        let times = if line.contains('$') && !line.starts_with("//") { moves } else { 1 };
        for number in 0..times {
            text.push_str(&line.replace('$', &number.to_string()));
            text.push('\n');
        }
    }
    text
}

/// What is at the bottom of an error.
fn last_cause(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}

fn has_loop(block: &Block) -> bool {
    block.iter().any(|statement| match statement {
        Statement::Loop { .. } => true,
        Statement::Block(block) => has_loop(block),
        Statement::If { accept, reject, .. } => has_loop(accept) || has_loop(reject),
        Statement::Switch { cases, .. } => cases.iter().any(|case| has_loop(&case.body)),
        _ => false,
    })
}

struct User<'a> {
    path: &'a Path,
    text: &'a str,
}

impl User<'_> {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Whether a place is in the user's text.
    fn owns(&self, span: Span) -> bool {
        span.to_range().is_some_and(|range| range.start < self.text.len())
    }

    /// An error that needs no place.
    fn plain(&self, problem: impl Into<String>) -> Error {
        Error::Shader { path: PathBuf::from(self.path), problem: problem.into() }
    }

    /// An error that naga shows with line and caret: its first line is `error: ...`.
    fn shown(&self, report: &str) -> Error {
        let report = report.trim_end();
        self.plain(report.strip_prefix("error: ").unwrap_or(report))
    }

    /// An error at a place of the user's.
    fn at(&self, span: Span, problem: &str) -> Error {
        if !self.owns(span) {
            return self.plain(problem);
        }
        let error = wgpu::naga::WithSpan::new(Told(problem.into())).with_span(span, "here");
        self.shown(&error.emit_to_string_with_path(self.text, &self.name()))
    }

    fn parse(&self, source: &str) -> Result<Module> {
        wgsl::parse_str(source).map_err(|error| {
            let own = error.labels().find(|(span, _)| self.owns(*span));
            let all = error.labels().all(|(span, _)| self.owns(span));
            match own {
                Some(_) if all => self.shown(&error.emit_to_string_with_path(self.text, &self.name())),
                // It clashes with ours, which the user does not see.
                Some((span, _)) => self.at(
                    span,
                    &format!("{}; N, parameter and names that begin with gpu_train_ are given", error.message()),
                ),
                // Only the end of the text is missing, or what our part calls.
                None => self.plain(error.message().to_string()),
            }
        })
    }

    fn validate(&self, module: &Module) -> Result<()> {
        let validated = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(module);
        validated.map(drop).map_err(|error| {
            // naga tells of everything around the mistake; its smallest part and the last cause say what it is.
            let own = error.spans().map(|(span, _)| *span).filter(|span| self.owns(*span));
            let smallest = own.min_by_key(|span| span.to_range().map_or(usize::MAX, |range| range.len()));
            smallest.map_or_else(|| self.plain(last_cause(&error)), |span| self.at(span, &last_cause(&error)))
        })
    }

    fn form(&self, module: &Module, alone: &str, variables: usize) -> Result<Form> {
        if let Some(entry) = module.entry_points.first() {
            return Err(self.plain(format!("it has an entry point, {}; write fn f alone", entry.name)));
        }
        let named = |name: &str| module.functions.iter().find(|(_, function)| function.name.as_deref() == Some(name));
        match (named("f"), named("term")) {
            (Some((handle, f)), _) => self.form_of_f(module, f, module.functions.get_span(handle), variables),
            (None, Some((handle, term))) => {
                let span = module.functions.get_span(handle);
                let takes_index = matches!(self.argument(module, term), Some(TypeInner::Scalar(scalar)) if scalar.kind == ScalarKind::Uint);
                if !takes_index || !returns_float(module, term) {
                    return Err(self.at(span, "term must be fn term(i: u32) -> f32"));
                }
                self.terms(alone).map(Form::Terms)
            }
            (None, None) => Err(self.plain(
                "it has no fn f(x: ptr<function, array<f32, N>>) -> f32, nor fn f() -> f32, nor fn term(i: u32) -> f32",
            )),
        }
    }

    fn form_of_f(&self, module: &Module, f: &Function, span: Span, variables: usize) -> Result<Form> {
        let wrong = || {
            self.at(span, "f must be fn f(x: ptr<function, array<f32, N>>) -> f32, or fn f() -> f32 with parameter(i)")
        };
        if !returns_float(module, f) {
            return Err(wrong());
        }
        match self.argument(module, f) {
            None if f.arguments.is_empty() => Ok(Form::Accessor),
            Some(TypeInner::Pointer { base, .. }) => match module.types[*base].inner {
                TypeInner::Array { size, .. } => {
                    let length = match size {
                        wgpu::naga::ArraySize::Constant(length) => length.get() as usize,
                        _ => 0,
                    };
                    if length != variables {
                        return Err(self.at(
                            span,
                            &format!("f takes {length} numbers, and the point has {variables}; array<f32, N> fits any"),
                        ));
                    }
                    if variables > MOST_IN_ARRAY {
                        return Err(self.at(
                            span,
                            &format!("{variables} numbers are too many for an array in a function, which holds {MOST_IN_ARRAY}; write fn f() -> f32 with parameter(i)"),
                        ));
                    }
                    Ok(Form::Array)
                }
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }

    /// The type of a function's only argument.
    fn argument<'m>(&self, module: &'m Module, function: &Function) -> Option<&'m TypeInner> {
        match function.arguments.as_slice() {
            [one] => Some(&module.types[one.ty].inner),
            _ => None,
        }
    }

    /// The user's `const TERMS`, which may be of any integer type that WGSL turns into ours.
    fn terms(&self, alone: &str) -> Result<u32> {
        let wrong = || self.plain("fn term needs const TERMS = ..., a whole number: how many terms the sum has");
        let asked = format!("{alone}const gpu_train_terms: u32 = TERMS;\n");
        let module = wgsl::parse_str(&asked).map_err(|_| wrong())?;
        let ours = |constant: &&Constant| constant.name.as_deref() == Some("gpu_train_terms");
        let constant = module.constants.iter().map(|(_, constant)| constant).find(ours).ok_or_else(wrong)?;
        match module.global_expressions[constant.init] {
            Expression::Literal(Literal::U32(terms)) if terms > 0 => Ok(terms),
            _ => Err(wrong()),
        }
    }
}

fn returns_float(module: &Module, function: &Function) -> bool {
    let float = |ty| matches!(&module.types[ty].inner, TypeInner::Scalar(scalar) if scalar.kind == ScalarKind::Float && scalar.width == 4);
    function.result.as_ref().is_some_and(|result| float(result.ty))
}

/// A mistake that we tell ourselves.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Told(String);

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str, variables: usize) -> Result<Form, String> {
        read(Path::new("my.wgsl"), text, variables, MOVES_AT_ONCE)
            .map(|shader| shader.form)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn all_forms_are_known() {
        let array = "fn f(x: ptr<function, array<f32, N>>) -> f32 {
            var sum = 0.0;
            for (var i = 0; i < N; i++) { sum += (*x)[i]; }
            for (var i = 0u; i < N; i++) { sum += x[i]; }
            return sum;
        }";
        assert_eq!(form(array, 7), Ok(Form::Array));
        assert_eq!(form(&array.replace('N', "7"), 7), Ok(Form::Array));
        let accessor = "fn f() -> f32 { return parameter(0u) * parameter(N - 1u) + parameter(u32(N)); }";
        assert_eq!(form(accessor, 3), Ok(Form::Accessor));
        let terms = |count: &str| format!("const TERMS = {count};\nfn term(i: u32) -> f32 {{ return parameter(i); }}");
        assert_eq!(form(&terms("N - 1"), 100_000), Ok(Form::Terms(99_999)));
        assert_eq!(form(&terms("u32(N) * 2u"), 100), Ok(Form::Terms(200)));
        for wrong in ["0", "-1", "1.5", "N - 101"] {
            assert!(form(&terms(wrong), 100).unwrap_err().contains("const TERMS"), "{wrong}");
        }
    }

    #[test]
    fn all_modules_are_valid_and_users_see_neither() {
        let terms = "const TERMS = N;\nfn term(i: u32) -> f32 { return parameter(i) * parameter(0u); }";
        let looping = terms.replace("return", "for (var k = 0; k < 3; k++) {} return");
        for (text, modules) in [(terms, 2), (looping.as_str(), 1), ("fn f() -> f32 { return parameter(0u); }", 1)] {
            let shader = read(Path::new("my.wgsl"), text, 5, MOVES_AT_ONCE).unwrap();
            assert_eq!(shader.modules.len(), modules, "{text}");
            for (source, entries) in &shader.modules {
                assert!(
                    !source.contains('$') || source.lines().all(|line| !line.contains('$') || line.starts_with("//"))
                );
                let module = wgsl::parse_str(source).unwrap_or_else(|error| panic!("{}", error.emit_to_string(source)));
                let names: Vec<&str> = module.entry_points.iter().map(|entry| entry.name.as_str()).collect();
                assert_eq!(&names, entries);
                let valid = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module);
                valid.unwrap_or_else(|error| panic!("{}", error.emit_to_string(source)));
            }
        }
    }

    #[test]
    fn mistakes_are_shown_where_they_are() {
        for (text, place, said) in [
            ("fn f() -> f32 {\n    return parameter(0u) + ;\n}", ":2:28", "expected expression"),
            ("fn f() -> f32 {\n    let a = 1u;\n    return a + 1.0;\n}", ":3:16", "Abstract types"),
            ("fn f() -> f32 {\n    return y;\n}", ":2:12", "y"),
            ("\n\nfn f(x: f32) -> f32 { return x; }", ":3:", "fn f() -> f32"),
            ("fn f() -> i32 { return 1; }", ":1:", "-> f32"),
            ("fn f(x: ptr<function, array<f32, 4>>) -> f32 { return x[0]; }", ":1:", "the point has 3"),
            ("fn f() -> f32 { return 1.0; }\nfn parameter(i: u32) -> f32 { return 1.0; }", ":2:4", "are given"),
            ("const N = 3;\nfn f() -> f32 { return 1.0; }", ":1:7", "are given"),
            ("fn term(i: f32) -> f32 { return i; }", ":1:", "fn term(i: u32)"),
        ] {
            let error = form(text, 3).unwrap_err();
            assert!(error.contains(&format!("my.wgsl{place}")), "{text}\n{error}");
            assert!(error.contains('^') && error.contains(said), "{text}\n{error}");
            assert!(!error.contains("gpu_train_point"), "only the user's own lines: {error}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, said) in [
            ("fn g() -> f32 { return 1.0; }", "no fn f"),
            ("", "no fn f"),
            ("fn f() -> f32 {", "expected"),
            ("fn term(i: u32) -> f32 { return 1.0; }", "const TERMS"),
            ("@compute @workgroup_size(1) fn main() {}", "entry point"),
            (
                "@group(0) @binding(3) var<uniform> data: vec4<f32>;\nfn f() -> f32 { return data[0]; }",
                "nothing fills data",
            ),
        ] {
            let error = form(text, 3).unwrap_err();
            assert!(error.contains(said), "{text}\n{error}");
        }
        let array = "fn f(x: ptr<function, array<f32, N>>) -> f32 { return x[0]; }";
        assert!(form(array, 2_048).is_ok());
        assert!(form(array, 2_049).unwrap_err().contains("parameter(i)"));
    }
}
