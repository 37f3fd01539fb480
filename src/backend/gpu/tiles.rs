//! Whose tiles and workgroups each family of kernels uses: the one small table that kernels are chosen by.

use serde::{Deserialize, Serialize};

use super::matmul;
use crate::backend::op::Op;
use crate::device::DeviceKind;

/// What kernels choose their tiles and workgroups by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceClass {
    /// A real GPU: occupancy and registers count.
    Gpu,
    /// A software driver: loads count, registers are vector registers of a CPU.
    Software,
}

impl DeviceClass {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Gpu, Self::Software];

    /// The class of a device that nobody has measured.
    #[must_use]
    pub fn suited(kind: DeviceKind) -> Self {
        if kind == DeviceKind::Software { Self::Software } else { Self::Gpu }
    }

    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gpu => "gpu",
            Self::Software => "software",
        }
    }
}

/// Kernels that have a form for each class. The others have one for all devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Matrix products of few multiply-adds, as in networks of one hidden layer, and the sums of columns that go with them.
    SmallProducts,
    /// The others.
    LargeProducts,
    /// Layers of many forward passes, each with one parameter moved: literal quotients.
    MovedLayers,
    /// Parameters probed one by one, where curves do not do.
    SingleProbes,
    /// Curves of units with a hidden layer behind them.
    DeepProbes,
}

impl Family {
    /// All of them, in the order of [`Tiles`].
    pub const ALL: [Self; 5] =
        [Self::SmallProducts, Self::LargeProducts, Self::MovedLayers, Self::SingleProbes, Self::DeepProbes];

    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SmallProducts => "small-products",
            Self::LargeProducts => "large-products",
            Self::MovedLayers => "moved-layers",
            Self::SingleProbes => "single-probes",
            Self::DeepProbes => "deep-probes",
        }
    }

    /// The family of an operation's kernels, where they are of one.
    pub(crate) fn of(op: &Op) -> Option<Self> {
        Some(match op {
            Op::Matmul(op) if matmul::is_large(op) => Self::LargeProducts,
            Op::Matmul(_) | Op::ColumnSums(_) => Self::SmallProducts,
            Op::MovedAffine(_) => Self::MovedLayers,
            Op::ProbeSingle(_) => Self::SingleProbes,
            Op::ProbeBehind(_) => Self::DeepProbes,
            _ => return None,
        })
    }
}

/// For each family, whose tiles and workgroups its kernels use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiles([DeviceClass; Family::ALL.len()]);

impl Tiles {
    /// Those of one class throughout.
    #[must_use]
    pub fn of(class: DeviceClass) -> Self {
        Self([class; Family::ALL.len()])
    }

    /// The same, with those of `class` for one family.
    #[must_use]
    pub fn with(mut self, family: Family, class: DeviceClass) -> Self {
        self.0[family as usize] = class;
        self
    }

    /// Whose tiles a family uses.
    #[must_use]
    pub fn class(&self, family: Family) -> DeviceClass {
        self.0[family as usize]
    }

    /// Whose tiles an operation uses; of no account for kernels of one form.
    pub(super) fn class_of(&self, op: &Op) -> DeviceClass {
        Family::of(op).map_or(DeviceClass::Gpu, |family| self.class(family))
    }
}

#[cfg(test)]
mod tests {
    use super::super::dispatches;
    use super::*;
    use crate::backend::tensor::{BufferId, Tensor};
    use crate::backend::{Fill, Matmul};

    fn product([m, k, n]: [usize; 3]) -> Op {
        let tensor = |rows, columns| Tensor { buffer: BufferId(0), offset: 0, rows, columns };
        let (a, b, out) = (tensor(m, k), tensor(k, n), tensor(m, n));
        Matmul { a, transpose_a: false, b, transpose_b: false, bias: None, out }.into()
    }

    #[test]
    fn a_familys_class_decides_its_kernels_and_no_others() {
        let name = |tiles: Tiles, op: &Op| dispatches(op, tiles.class_of(op))[0].name;
        let (small, large) = (product([100, 784, 50]), product([128, 784, 512]));
        let software = Tiles::of(DeviceClass::Software);
        assert_eq!((name(software, &small), name(software, &large)), ("matmul", "matmul_vectors"));
        let often = |tiles: Tiles| match &small {
            Op::Matmul(op) => matmul::often(op, tiles.class_of(&small)).map(|dispatches| dispatches[0].name),
            _ => None,
        };
        assert_eq!((often(software), often(Tiles::of(DeviceClass::Gpu))), (Some("matmul_vectors"), None));
        let mixed = software.with(Family::SmallProducts, DeviceClass::Gpu);
        assert_eq!((name(mixed, &small), name(mixed, &large)), ("matmul_split", "matmul_vectors"));
        let gpu = Tiles::of(DeviceClass::Gpu);
        assert_eq!((name(gpu, &small), name(gpu, &large)), ("matmul_split", "matmul_tiled"));
        let out = Tensor { buffer: BufferId(0), offset: 0, rows: 2, columns: 2 };
        let fill = Op::from(Fill { value: 1.0, out });
        assert_eq!(dispatches(&fill, gpu.class_of(&fill)), dispatches(&fill, software.class_of(&fill)));
    }

    #[test]
    fn families_stand_in_the_order_of_the_table() {
        for (index, family) in Family::ALL.into_iter().enumerate() {
            assert_eq!(family as usize, index);
            assert_eq!(serde_json::to_value(family).unwrap(), family.name());
        }
        for class in DeviceClass::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.name());
        }
    }
}
