//! What the tests on devices share: float64 references, tolerances with reasons, devices, and faulty devices.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod deep_oracle;
pub(crate) mod devices;
pub(crate) mod directional_oracle;
pub(crate) mod draw;
pub(crate) mod faulty;
pub(crate) mod formula_oracle;
pub(crate) mod memory;
pub(crate) mod network;
pub(crate) mod oracle;
pub(crate) mod probe_oracle;
pub(crate) mod problem;
pub(crate) mod reference;
pub(crate) mod tolerance;
