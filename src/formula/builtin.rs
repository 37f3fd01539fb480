//! Functions that descents are tried on, by name.

/// A function with a name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Builtin {
    /// What `--of` takes.
    pub name: &'static str,
    /// What it is.
    pub formula: &'static str,
    /// What there is to see.
    pub about: &'static str,
    /// Where that is: the ends of each variable.
    pub range: [(f64, f64); 2],
    /// Gradients along each side of it that show it: several between a hill and the next hollow.
    pub arrows: u16,
}

/// Arrows of a function that changes slowly.
pub const ARROWS: u16 = 21;

/// All of them.
pub const BUILTINS: &[Builtin] = &[
    Builtin {
        name: "bowl",
        formula: "x0^2 + x1^2",
        about: "one minimum, at (0, 0)",
        range: [(-4.0, 4.0); 2],
        arrows: ARROWS,
    },
    Builtin {
        name: "saddle",
        formula: "x0^2 - x1^2",
        about: "a saddle, at (0, 0)",
        range: [(-2.0, 2.0); 2],
        arrows: ARROWS,
    },
    Builtin {
        name: "himmelblau",
        formula: "(x0^2 + x1 - 11)^2 + (x0 + x1^2 - 7)^2",
        about: "four minima of 0 (Himmelblau, 1972)",
        range: [(-5.0, 5.0); 2],
        arrows: ARROWS,
    },
    Builtin {
        name: "rosenbrock",
        formula: "(1 - x0)^2 + 100*(x1 - x0^2)^2",
        about: "a bent valley that leads to (1, 1) (Rosenbrock, 1960)",
        range: [(-2.0, 2.0), (-1.0, 3.0)],
        arrows: ARROWS,
    },
    Builtin {
        name: "plateau",
        formula: "1 - exp(-(x0^2 + x1^2)/2)",
        about: "a hole at (0, 0), and nearly level ground around it",
        range: [(-6.0, 6.0); 2],
        arrows: ARROWS,
    },
    Builtin {
        name: "rastrigin",
        formula: "20 + x0^2 - 10*cos(2*pi*x0) + x1^2 - 10*cos(2*pi*x1)",
        about: "many local minima around the one at (0, 0) (Rastrigin, 1974)",
        range: [(-5.12, 5.12); 2],
        // Four to a period of 1: at two or fewer the arrows would show another function.
        arrows: 41,
    },
];

impl Builtin {
    /// The one of this name, in small or in capital letters.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        BUILTINS.iter().find(|builtin| builtin.name.eq_ignore_ascii_case(name.trim()))
    }
}
