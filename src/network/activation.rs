//! The functions of hidden units.

/// The function that a hidden layer applies to its pre-activations `a`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Activation {
    /// `1 / (1 + exp(-a))`
    Sigmoid,
    /// `tanh(a)`
    Tanh,
    /// `max(a, 0)`; its derivative at 0 is taken as 0.
    Relu,
    /// `a Phi(a)`, with the normal distribution's `Phi` (Hendrycks and Gimpel, 2016), not an approximation of it.
    Gelu,
    /// `ln(1 + exp(a))`
    Softplus,
    /// `a`
    Identity,
}

impl Activation {
    /// All activations, for tests and lists.
    pub const ALL: [Self; 6] = [Self::Sigmoid, Self::Tanh, Self::Relu, Self::Gelu, Self::Softplus, Self::Identity];

    /// The name in options, models and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Relu => "relu",
            Self::Gelu => "gelu",
            Self::Softplus => "softplus",
            Self::Identity => "identity",
        }
    }

    /// The activation of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|activation| activation.name() == name)
    }
}
