//! A sequence of operations to be run together.

use super::access::Access;
use super::op::Op;
use crate::Result;

/// Operations in the order in which they take effect, each checked when it is added.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    ops: Vec<Op>,
}

impl Recording {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an operation.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) when its operands do not fit together or overlap.
    pub fn push(&mut self, op: impl Into<Op>) -> Result<()> {
        let op = op.into();
        op.access()?;
        self.ops.push(op);
        Ok(())
    }

    /// The operations.
    #[must_use]
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// What each operation touches, in order.
    pub(crate) fn accesses(&self) -> impl Iterator<Item = Result<Access>> + '_ {
        self.ops.iter().map(Op::access)
    }
}
