//! What a formula is compiled to: operations in an order in which each one's operands come before it.

use std::collections::HashMap;

use super::scalar::Number;

/// The most nodes that a formula may be compiled to: more than anybody types, few enough for every shader compiler.
pub const MOST_NODES: usize = 4_096;

/// One step of a program. Operands are the numbers of earlier nodes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Node {
    /// A number.
    Constant(f64),
    /// A variable, by its number.
    Variable(usize),
    /// A function of one operand.
    Unary(Unary, usize),
    /// A function of two.
    Binary(Binary, usize, usize),
}

/// Functions of one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unary {
    /// `-a`
    Negate,
    /// `|a|`
    Absolute,
    /// `sqrt(a)`
    SquareRoot,
    /// `e^a`
    Exponential,
    /// The natural logarithm.
    Logarithm,
    /// `sin(a)`
    Sine,
    /// `cos(a)`
    Cosine,
    /// `tan(a)`
    Tangent,
    /// `tanh(a)`
    HyperbolicTangent,
}

/// Functions of two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Binary {
    /// `a + b`
    Add,
    /// `a - b`
    Subtract,
    /// `a * b`
    Multiply,
    /// `a / b`
    Divide,
    /// `a^b`
    Power,
    /// The smaller one; NaN where one of them is.
    Minimum,
    /// The larger one; NaN where one of them is.
    Maximum,
}

/// A function of several variables; its value is the last node's. Equal nodes are there once.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    nodes: Vec<Node>,
    variables: usize,
}

impl Program {
    /// The nodes, of which there is one at least.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// How many variables it has.
    #[must_use]
    pub fn variables(&self) -> usize {
        self.variables
    }

    /// Which nodes change when this variable does.
    #[must_use]
    pub fn dependents(&self, variable: usize) -> Vec<bool> {
        let mut depends = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            depends.push(match *node {
                Node::Constant(_) => false,
                Node::Variable(other) => other == variable,
                Node::Unary(_, a) => depends[a],
                Node::Binary(_, a, b) => depends[a] || depends[b],
            });
        }
        depends
    }
}

/// A node as a key: floats by their bits.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Constant(u64),
    Variable(usize),
    Unary(Unary, usize),
    Binary(Binary, usize, usize),
}

/// Collects nodes; what is known already is computed, what was said before is not said again.
#[derive(Default)]
pub(super) struct Builder {
    nodes: Vec<Node>,
    known: HashMap<Key, usize>,
}

impl Builder {
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    fn push(&mut self, node: Node) -> usize {
        let key = match node {
            Node::Constant(value) => Key::Constant(value.to_bits()),
            Node::Variable(index) => Key::Variable(index),
            Node::Unary(operation, a) => Key::Unary(operation, a),
            Node::Binary(operation, a, b) => Key::Binary(operation, a, b),
        };
        *self.known.entry(key).or_insert_with(|| {
            self.nodes.push(node);
            self.nodes.len() - 1
        })
    }

    fn known(&self, node: usize) -> Option<f64> {
        match self.nodes[node] {
            Node::Constant(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn constant(&mut self, value: f64) -> usize {
        self.push(Node::Constant(value))
    }

    pub(super) fn variable(&mut self, index: usize) -> usize {
        self.push(Node::Variable(index))
    }

    pub(super) fn unary(&mut self, operation: Unary, a: usize) -> usize {
        match self.known(a) {
            Some(a) => self.constant(f64::unary(operation, a)),
            None => self.push(Node::Unary(operation, a)),
        }
    }

    pub(super) fn binary(&mut self, operation: Binary, a: usize, b: usize) -> usize {
        match (operation, self.known(a), self.known(b)) {
            (_, Some(a), Some(b)) => self.constant(f64::binary(operation, a, b)),
            (Binary::Power, None, Some(exponent)) => self.power(a, b, exponent),
            _ => self.push(Node::Binary(operation, a, b)),
        }
    }

    /// Whole exponents are products, and a half is a root: exact, and a tenth of a power's price.
    fn power(&mut self, base: usize, exponent_node: usize, exponent: f64) -> usize {
        const MOST: f64 = 64.0;
        if exponent == 0.5 {
            return self.unary(Unary::SquareRoot, base);
        }
        if exponent.fract() != 0.0 || exponent.abs() > MOST {
            return self.push(Node::Binary(Binary::Power, base, exponent_node));
        }
        let mut left = exponent.abs() as u32;
        let mut square = base;
        let mut product = None;
        while left > 0 {
            if left % 2 == 1 {
                product = Some(match product {
                    None => square,
                    Some(product) => self.push(Node::Binary(Binary::Multiply, product, square)),
                });
            }
            left /= 2;
            if left > 0 {
                square = self.push(Node::Binary(Binary::Multiply, square, square));
            }
        }
        let one = self.constant(1.0);
        match product {
            None => one,
            Some(product) if exponent < 0.0 => self.push(Node::Binary(Binary::Divide, one, product)),
            Some(product) => product,
        }
    }

    /// The program that ends with `result`, without what that does not need; `places` are the variables' new numbers.
    pub(super) fn finish(self, result: usize, places: &[usize]) -> Program {
        let mut needed = vec![false; result + 1];
        needed[result] = true;
        for index in (0..=result).rev() {
            if needed[index] {
                match self.nodes[index] {
                    Node::Constant(_) | Node::Variable(_) => {}
                    Node::Unary(_, a) => needed[a] = true,
                    Node::Binary(_, a, b) => {
                        needed[a] = true;
                        needed[b] = true;
                    }
                }
            }
        }
        let mut nodes = Vec::new();
        let mut moved = vec![0; result + 1];
        for index in (0..=result).filter(|&index| needed[index]) {
            moved[index] = nodes.len();
            nodes.push(match self.nodes[index] {
                Node::Variable(variable) => Node::Variable(places[variable]),
                Node::Constant(value) => Node::Constant(value),
                Node::Unary(operation, a) => Node::Unary(operation, moved[a]),
                Node::Binary(operation, a, b) => Node::Binary(operation, moved[a], moved[b]),
            });
        }
        Program { nodes, variables: places.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formula::Formula;

    #[test]
    fn what_is_known_is_not_computed_again() {
        let nodes = |text: &str| Formula::parse(text).unwrap().program().nodes().to_vec();
        assert_eq!(nodes("2*3 + 1"), [Node::Constant(7.0)]);
        // x, x*x and the sum.
        assert_eq!(nodes("x^2 + x*x").len(), 3);
        // x, x^2, x^4: two products.
        assert_eq!(nodes("x^4").len(), 3);
        assert_eq!(nodes("x^0.5").len(), 2);
        assert_eq!(nodes("x^2.5").len(), 3);
    }

    #[test]
    fn dependents_are_what_a_variable_reaches() {
        // x, y, sin(y), x + sin(y)
        let f = Formula::parse("x + sin(y)").unwrap();
        assert_eq!(f.program().dependents(0), [true, false, false, true]);
        assert_eq!(f.program().dependents(1), [false, true, true, true]);
    }
}
