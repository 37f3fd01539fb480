//! Every shader that the engine uses, with every set of constants.

/// A shader.
#[derive(Debug, Clone, PartialEq)]
pub struct ShaderVariant {
    /// The kernel's name.
    pub name: &'static str,
}

/// All.
#[must_use]
pub fn shader_catalogue() -> Vec<ShaderVariant> {
    Vec::new()
}
