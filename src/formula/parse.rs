//! From text to a program, by recursive descent. There is no tree in between: each operation is emitted as soon as its
//! operands are, so that neither a long formula nor a deep one needs a stack of its length.
//!
//! ```text
//! sum     = product (('+' | '-') product)*
//! product = signed (('*' | '/') signed)*
//! signed  = ('-' | '+') signed | power
//! power   = atom ('^' signed)?
//! atom    = number | name | function '(' sum (',' sum)* ')' | '(' sum ')'
//! ```

use std::cmp::Ordering;

use super::program::{Binary, Builder, MOST_NODES, Program, Unary};

/// How deep brackets, signs and powers may stand in each other: a few hundred bytes of stack each.
const MOST_DEPTH: usize = 200;

/// Why a formula cannot be understood, and at which byte.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) at: usize,
    pub(super) problem: String,
    pub(super) hint: Option<String>,
}

/// The program of a formula, and the names of its variables in their order.
pub(super) fn parse(text: &str) -> Result<(Program, Vec<String>), Problem> {
    let mut parser = Parser { text, at: 0, depth: 0, builder: Builder::default(), variables: Vec::new() };
    parser.skip_space();
    if parser.rest().is_empty() {
        return Err(parser.problem("the formula is empty", Some("such as 'x0^2 + x1^2', or a name such as bowl")));
    }
    let result = parser.sum()?;
    if let Some(symbol) = parser.rest().chars().next() {
        return Err(parser.unexpected(symbol));
    }
    let mut order: Vec<usize> = (0..parser.variables.len()).collect();
    order.sort_by(|&a, &b| natural_order(&parser.variables[a], &parser.variables[b]));
    let names = order.iter().map(|&index| parser.variables[index].clone()).collect();
    let mut places = vec![0; order.len()];
    for (place, index) in order.into_iter().enumerate() {
        places[index] = place;
    }
    Ok((parser.builder.finish(result, &places), names))
}

struct Parser<'a> {
    text: &'a str,
    /// The next byte; never within a character.
    at: usize,
    depth: usize,
    builder: Builder,
    /// In the order in which they appear.
    variables: Vec<String>,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn problem(&self, problem: impl Into<String>, hint: Option<&str>) -> Problem {
        Problem { at: self.at, problem: problem.into(), hint: hint.map(Into::into) }
    }

    /// Takes a symbol, if it is the next one, and the space behind it.
    fn take(&mut self, symbol: char) -> bool {
        let there = self.rest().starts_with(symbol);
        if there {
            self.at += symbol.len_utf8();
            self.skip_space();
        }
        there
    }

    /// What is wrong with a symbol between operands.
    fn unexpected(&self, symbol: char) -> Problem {
        match symbol {
            ')' => self.problem("a ) that closes nothing", None),
            ',' => self.problem("a comma outside of min and max", Some("numbers have a point: 0.5")),
            '(' => self.problem("a bracket directly behind an operand", Some("a product needs its *")),
            _ if symbol.is_alphanumeric() || symbol == '_' || symbol == '.' => {
                self.problem("an operand directly behind another", Some("a product needs its *: 2*x"))
            }
            _ => self.problem(format!("{symbol:?} means nothing here"), Some("the operators are + - * / ^")),
        }
    }

    fn emit(&mut self, at: usize, node: impl FnOnce(&mut Builder) -> usize) -> Result<usize, Problem> {
        let node = node(&mut self.builder);
        if self.builder.len() > MOST_NODES {
            return Err(Problem { at, problem: format!("more than {MOST_NODES} operations"), hint: None });
        }
        Ok(node)
    }

    fn sum(&mut self) -> Result<usize, Problem> {
        let mut left = self.product()?;
        loop {
            let at = self.at;
            let operation = match () {
                () if self.take('+') => Binary::Add,
                () if self.take('-') => Binary::Subtract,
                () => return Ok(left),
            };
            let right = self.product()?;
            left = self.emit(at, |builder| builder.binary(operation, left, right))?;
        }
    }

    fn product(&mut self) -> Result<usize, Problem> {
        let mut left = self.signed()?;
        loop {
            let at = self.at;
            let operation = match () {
                () if self.take('*') => Binary::Multiply,
                () if self.take('/') => Binary::Divide,
                () => return Ok(left),
            };
            if self.rest().starts_with('*') {
                return Err(self.problem("** is no operator", Some("a power is x^2")));
            }
            let right = self.signed()?;
            left = self.emit(at, |builder| builder.binary(operation, left, right))?;
        }
    }

    /// Every way into something deeper leads through here.
    fn signed(&mut self) -> Result<usize, Problem> {
        if self.depth == MOST_DEPTH {
            return Err(self.problem(format!("more than {MOST_DEPTH} levels deep"), None));
        }
        self.depth += 1;
        let at = self.at;
        let node = if self.take('-') {
            let operand = self.signed()?;
            self.emit(at, |builder| builder.unary(Unary::Negate, operand))?
        } else if self.take('+') {
            self.signed()?
        } else {
            let base = self.atom()?;
            let at = self.at;
            if self.take('^') {
                let exponent = self.signed()?;
                self.emit(at, |builder| builder.binary(Binary::Power, base, exponent))?
            } else {
                base
            }
        };
        self.depth -= 1;
        Ok(node)
    }

    fn atom(&mut self) -> Result<usize, Problem> {
        match self.rest().chars().next() {
            None => Err(self.problem("the formula ends where an operand belongs", None)),
            Some('(') => {
                self.take('(');
                let inner = self.sum()?;
                self.close(Some("each ( needs its )"))?;
                Ok(inner)
            }
            Some(digit) if digit.is_ascii_digit() || digit == '.' => self.number(),
            Some(letter) if letter.is_alphabetic() || letter == '_' => self.name(),
            Some(symbol @ ('+' | '-' | '*' | '/' | '^' | ')' | ',')) => {
                Err(self.problem(format!("{symbol} where an operand belongs"), None))
            }
            Some(symbol) => Err(self.unexpected(symbol)),
        }
    }

    fn close(&mut self, hint: Option<&str>) -> Result<(), Problem> {
        if self.take(')') {
            return Ok(());
        }
        match self.rest().chars().next() {
            None => Err(self.problem("a ) is missing", hint)),
            Some(symbol) => Err(self.unexpected(symbol)),
        }
    }

    fn number(&mut self) -> Result<usize, Problem> {
        let start = self.at;
        let bytes = self.rest().as_bytes();
        let digits = |from: usize| bytes[from.min(bytes.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
        let mut end = digits(0);
        if bytes.get(end) == Some(&b'.') {
            end += 1 + digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + sign);
            if exponent > 0 {
                end += 1 + sign + exponent;
            }
        }
        let text = &self.rest()[..end];
        let value = text.parse::<f64>().ok().filter(|value| value.is_finite());
        let value = value.ok_or_else(|| self.problem(format!("{text} is no number of float64"), None))?;
        self.at += end;
        self.skip_space();
        self.emit(start, |builder| builder.constant(value))
    }

    fn name(&mut self) -> Result<usize, Problem> {
        let start = self.at;
        let rest = self.rest();
        let end = rest.find(|symbol: char| !(symbol.is_alphanumeric() || symbol == '_')).unwrap_or(rest.len());
        let name = &rest[..end];
        self.at += end;
        self.skip_space();
        if let Some(function) = Function::named(name) {
            return self.call(name, function, start);
        }
        let constant = match name {
            "pi" => Some(std::f64::consts::PI),
            "e" => Some(std::f64::consts::E),
            _ => None,
        };
        if let Some(constant) = constant {
            return self.emit(start, |builder| builder.constant(constant));
        }
        if self.rest().starts_with('(') {
            let problem = format!("there is no function {name}");
            let hint = match name {
                "log" => "the natural logarithm is ln".into(),
                "pow" => "a power is x^2".into(),
                _ => format!("there are {}; a product needs its *", FUNCTIONS.map(|(name, _)| name).join(", ")),
            };
            return Err(Problem { at: start, problem, hint: Some(hint) });
        }
        let known = self.variables.iter().position(|variable| variable == name);
        let index = known.unwrap_or(self.variables.len());
        if known.is_none() {
            self.variables.push(name.into());
        }
        self.emit(start, |builder| builder.variable(index))
    }

    fn call(&mut self, name: &str, function: Function, start: usize) -> Result<usize, Problem> {
        if !self.take('(') {
            let hint = format!("{name}(x)");
            let at = if self.rest().is_empty() { start } else { self.at };
            let problem = format!("{name} is a function, and needs a ( behind it");
            return Err(Problem { at, problem, hint: Some(hint) });
        }
        let first = self.sum()?;
        match function {
            Function::Of(operation) => {
                if self.rest().starts_with(',') {
                    return Err(self.problem(format!("{name} takes one operand"), Some("numbers have a point: 0.5")));
                }
                self.close(None)?;
                self.emit(start, |builder| builder.unary(operation, first))
            }
            Function::OfMany(operation) => {
                if self.rest().starts_with(')') {
                    return Err(self.problem(format!("{name} takes two operands or more"), None));
                }
                let mut all = first;
                while self.take(',') {
                    let next = self.sum()?;
                    all = self.emit(start, |builder| builder.binary(operation, all, next))?;
                }
                self.close(None)?;
                Ok(all)
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Function {
    Of(Unary),
    OfMany(Binary),
}

const FUNCTIONS: [(&str, Function); 10] = [
    ("sin", Function::Of(Unary::Sine)),
    ("cos", Function::Of(Unary::Cosine)),
    ("tan", Function::Of(Unary::Tangent)),
    ("exp", Function::Of(Unary::Exponential)),
    ("ln", Function::Of(Unary::Logarithm)),
    ("sqrt", Function::Of(Unary::SquareRoot)),
    ("tanh", Function::Of(Unary::HyperbolicTangent)),
    ("abs", Function::Of(Unary::Absolute)),
    ("min", Function::OfMany(Binary::Minimum)),
    ("max", Function::OfMany(Binary::Maximum)),
];

impl Function {
    fn named(name: &str) -> Option<Self> {
        FUNCTIONS.iter().find(|(known, _)| *known == name).map(|&(_, function)| function)
    }
}

/// By the letters, and where these are the same by the number behind them.
fn natural_order(a: &str, b: &str) -> Ordering {
    let split = |name: &str| name.trim_end_matches(|symbol: char| symbol.is_ascii_digit()).len();
    let ((a_word, a_number), (b_word, b_number)) = (a.split_at(split(a)), b.split_at(split(b)));
    let significant = |number: &str| number.trim_start_matches('0').len();
    let by_number = (significant(a_number).cmp(&significant(b_number)))
        .then_with(|| a_number.trim_start_matches('0').cmp(b_number.trim_start_matches('0')));
    a_word.cmp(b_word).then(by_number).then_with(|| a.cmp(b))
}
