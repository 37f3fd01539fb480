//! The plane through the model: which one, before any work is done on it.

use std::path::PathBuf;

use clap::ValueEnum;

use super::document::Plane;
use crate::Result;
use crate::cli::{checkpoints, values};
use crate::landscape::{Grid, Score, path_plane, random_directions};
use crate::network::Network;
use crate::report::{plane_figure, plot};
use crate::train::checkpoint;

/// How far a random plane goes: as far as the network's weights are long.
const SPAN: f32 = 1.0;
/// A path's plane goes beyond the path by this share of its extent.
const MARGIN: f64 = 0.25;

/// The planes that can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PlaneKind {
    /// Two random directions, each unit's part as long as the unit's weights.
    Random,
    /// The two directions in which training moved most.
    Path,
}

/// A plane that is to be evaluated.
pub(super) struct PlanePlan {
    kind: PlaneKind,
    pub(super) directions: Vec<Vec<f32>>,
    pub(super) grid: Grid,
    path: Option<Vec<(f64, f64)>>,
    explained: Option<[f64; 2]>,
}

/// A plane that was evaluated.
pub(super) struct Evaluated {
    pub(super) plan: PlanePlan,
    pub(super) scores: Vec<Score>,
    /// How many samples the scores are of.
    pub(super) samples: usize,
    pub(super) seconds: f64,
}

impl PlanePlan {
    /// `points` x `points` around the network along two random directions.
    pub(super) fn random(network: &Network, points: usize, span: Option<f32>, seed: u64) -> Self {
        let span = f64::from(span.unwrap_or(SPAN));
        let grid = Grid { points, x: (-span, span), y: (-span, span) };
        let directions = random_directions(network, seed).to_vec();
        Self { kind: PlaneKind::Random, directions, grid, path: None, explained: None }
    }

    /// `points` x `points` around the way that models, files or folders of them, went to the network.
    ///
    /// # Errors
    /// For files that cannot be read, and for models that span no plane with the network.
    pub(super) fn along(files: &[PathBuf], network: &Network, points: usize) -> Result<Self> {
        let files = checkpoints::files(files)?;
        let load = |path: &PathBuf| checkpoint::load(path).map(|model| model.network);
        let on_the_way = files.iter().map(load).collect::<Result<Vec<_>>>()?;
        let found = path_plane(&on_the_way, network)?;
        let mut path = found.coordinates;
        path.push((0.0, 0.0));
        let ends = |values: &mut dyn Iterator<Item = f64>| {
            let (low, high) = values.fold((0.0f64, 0.0f64), |(low, high), value| (low.min(value), high.max(value)));
            (low, high)
        };
        let (x, y) = (ends(&mut path.iter().map(|point| point.0)), ends(&mut path.iter().map(|point| point.1)));
        let margin = MARGIN * (x.1 - x.0).max(y.1 - y.0);
        let grid = Grid { points, x: (x.0 - margin, x.1 + margin), y: (y.0 - margin, y.1 + margin) };
        let directions = found.directions.to_vec();
        let (path, explained) = (Some(path), Some(found.explained));
        Ok(Self { kind: PlaneKind::Path, directions, grid, path, explained })
    }
}

impl Evaluated {
    /// As a picture.
    pub(super) fn figure(&self) -> plot::Figure {
        let labels = match self.plan.kind {
            PlaneKind::Random => ["first random direction", "second random direction"],
            PlaneKind::Path => ["first principal direction", "second principal direction"],
        };
        plane_figure(labels, &self.plan.grid, &self.scores, self.plan.path.as_deref().unwrap_or_default())
    }

    /// As it is told.
    pub(super) fn document(self) -> Plane {
        let Self { plan, scores, samples, seconds } = self;
        let rows = |value: fn(&Score) -> f64| -> Vec<Vec<f64>> {
            scores.chunks(plan.grid.points).map(|row| row.iter().map(value).collect()).collect()
        };
        Plane {
            kind: values::name(plan.kind),
            samples,
            grid: plan.grid.points,
            x: plan.grid.x.into(),
            y: plan.grid.y.into(),
            loss: rows(|score| score.loss),
            accuracy: rows(|score| score.accuracy),
            path: plan.path.map(|path| path.into_iter().map(Into::into).collect()),
            explained: plan.explained,
            evaluations: scores.len(),
            seconds,
        }
    }
}
