//! Loss and accuracy over a whole split.

use super::settings::SplitScore;
use super::source::Source;
use crate::backend::{Advance, Argmax, Backend, CountCorrect, Gather, ProgramId, Recording, Scope, Tensor, Words};
use crate::data::Split;
use crate::device::DeviceKind;
use crate::gradient::{Batch, Forward, NetworkTensors};
use crate::network::{Architecture, Network};
use crate::{Error, Result};

/// Most samples that are evaluated together on a CPU: 784 pixels of each stay in a core's second-level cache (0.8 MB), which
/// takes a quarter of the time off 1,024.
const CPU_CHUNK: usize = 256;

/// The same on an adapter, which costs something for each chunk.
const ADAPTER_CHUNK: usize = 1_024;

/// Samples that are evaluated together: as many as the device's largest buffer takes in the network's widest layer.
/// A multiple of 64, so that the rest of a split begins where a tensor may.
pub(super) fn chunk(backend: &dyn Backend, architecture: &Architecture) -> usize {
    let widest = architecture.sizes.iter().max().copied().unwrap_or(1).max(1);
    let fit = usize::try_from(backend.max_buffer_bytes()).unwrap_or(usize::MAX) / 4 / widest;
    let most = if backend.info().kind == DeviceKind::Cpu { CPU_CHUNK } else { ADAPTER_CHUNK };
    (fit / 64 * 64).clamp(64, most)
}

/// What an evaluation found.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitEvaluation {
    /// Loss and accuracy.
    pub score: SplitScore,
    /// `confusion[true class][predicted class]`: how many samples.
    pub confusion: Vec<Vec<u64>>,
}

/// Evaluates `network` on a split: mean loss, accuracy and confusion matrix. Of the split no more is on the device at a time
/// than `memory` bytes; `None`: what the device allows.
///
/// # Errors
/// [`Error::Config`] when the split does not fit the network; or when the device fails.
pub fn evaluate(
    backend: &mut dyn Backend,
    network: &Network,
    split: &Split,
    memory: Option<u64>,
) -> Result<SplitEvaluation> {
    check_split(network, split)?;
    let (score, predictions) = Scope::with(backend, |backend| {
        let tensors = NetworkTensors::upload(backend, network)?;
        Evaluator::new(backend, &tensors, split, memory.unwrap_or(u64::MAX))?.score_and_predict(backend, split)
    })?;
    let outputs = network.architecture.outputs();
    let mut confusion = vec![vec![0; outputs]; outputs];
    for (&label, &prediction) in split.labels().iter().zip(&predictions) {
        confusion[usize::from(label)][prediction as usize] += 1;
    }
    Ok(SplitEvaluation { score, confusion })
}

/// Whether a network can be run on a split.
pub(super) fn check_split(network: &Network, split: &Split) -> Result<()> {
    let architecture = &network.architecture;
    if split.features() != architecture.inputs() {
        return Err(Error::config(format!(
            "images of {} pixels for a network of {} inputs",
            split.features(),
            architecture.inputs()
        )));
    }
    match split.labels().iter().find(|&&label| usize::from(label) >= architecture.outputs()) {
        Some(label) => {
            Err(Error::config(format!("a label of {label} for a network of {} outputs", architecture.outputs())))
        }
        None => Ok(()),
    }
}

/// Runs the forward pass over a split, chunk by chunk, with everything prepared once.
pub(super) struct Evaluator {
    source: Source,
    samples: usize,
    chunks: Vec<Chunks>,
    /// `[chunks, 1]`
    losses: Tensor,
    /// The number of the chunk at hand.
    cursor: Words,
    correct: Words,
}

/// Chunks of one size, and the program that evaluates the next one of them.
struct Chunks {
    len: usize,
    count: usize,
    program: ProgramId,
    predictions: Words,
}

impl Evaluator {
    pub(super) fn new(backend: &mut dyn Backend, network: &NetworkTensors, split: &Split, budget: u64) -> Result<Self> {
        let block = chunk(backend, &network.architecture).min(split.len());
        let source = Source::new(backend, split, block, budget)?;
        Self::with_source(backend, network, split, source)
    }

    /// On bytes that are on the device already, or on room for at least a chunk of them.
    pub(super) fn with_source(
        backend: &mut dyn Backend,
        network: &NetworkTensors,
        split: &Split,
        source: Source,
    ) -> Result<Self> {
        let (samples, chunk) = (split.len(), chunk(backend, &network.architecture));
        let losses = backend.tensor(samples.div_ceil(chunk), 1, "chunk losses")?;
        let (cursor, correct) = (backend.words(1, "cursor")?, backend.words(1, "count of correct")?);
        let order: Vec<u32> = (0..samples as u32).collect();
        let order = backend.words_from(&order, "order")?;
        let mut evaluator = Self { source, samples, chunks: Vec::new(), losses, cursor, correct };
        // Kernels know their sizes, so the rest of the split has a program of its own.
        let (full, rest) = (samples / chunk, samples % chunk);
        for (first, len, count) in [(0, chunk, full), (full * chunk, rest, 1)] {
            if len > 0 && count > 0 {
                let indices = if source.resident {
                    Words { offset: order.offset + first, len: len * count, ..order }
                } else {
                    Words { len, ..order }
                };
                let chunks = evaluator.prepare(backend, network, split, indices, len, count)?;
                evaluator.chunks.push(chunks);
            }
        }
        Ok(evaluator)
    }

    fn prepare(
        &self,
        backend: &mut dyn Backend,
        network: &NetworkTensors,
        split: &Split,
        indices: Words,
        len: usize,
        count: usize,
    ) -> Result<Chunks> {
        let batch = Batch {
            inputs: backend.tensor(len, split.features(), "inputs")?,
            targets: backend.words(len, "targets")?,
            from_bytes: true,
        };
        let forward = Forward::new(backend, &network.architecture, len)?;
        let predictions = backend.words(len, "predictions")?;
        // The full chunks of resident data follow the cursor; a block, and the rest, begin at their first sample.
        let follows = self.source.resident && count > 1;
        let cursor = if follows { self.cursor } else { backend.words(1, "zero")? };
        let mut recording = Recording::new();
        let (images, labels) = (self.source.images, self.source.labels);
        recording.push(Gather { images, labels, indices, cursor, inputs: batch.inputs, targets: batch.targets })?;
        forward.record_outputs(&mut recording, network, &batch)?;
        forward.record_loss(&mut recording, network, &batch, self.losses, self.cursor)?;
        recording.push(Argmax { x: forward.outputs, out: predictions })?;
        recording.push(CountCorrect { predictions, targets: batch.targets, out: self.correct })?;
        recording.push(Advance { cursor: self.cursor, step: backend.words(1, "chunks done")? })?;
        Ok(Chunks { len, count, program: backend.prepare(&recording)?, predictions })
    }

    /// Evaluates the split with the parameters as they are now.
    pub(super) fn score(&self, backend: &mut dyn Backend, split: &Split) -> Result<SplitScore> {
        self.begin(backend)?;
        let mut first = 0;
        for chunks in &self.chunks {
            if self.source.resident {
                backend.run(chunks.program, chunks.count)?;
                continue;
            }
            for _ in 0..chunks.count {
                self.run_chunk(backend, split, chunks, first)?;
                first += chunks.len;
            }
        }
        self.finish(backend)
    }

    /// The same, and the class predicted for each sample.
    pub(super) fn score_and_predict(&self, backend: &mut dyn Backend, split: &Split) -> Result<(SplitScore, Vec<u32>)> {
        self.begin(backend)?;
        let mut predictions = Vec::with_capacity(self.samples);
        for chunks in &self.chunks {
            for _ in 0..chunks.count {
                self.run_chunk(backend, split, chunks, predictions.len())?;
                predictions.extend(backend.read_words(chunks.predictions)?);
            }
        }
        Ok((self.finish(backend)?, predictions))
    }

    fn begin(&self, backend: &mut dyn Backend) -> Result<()> {
        backend.write_words(self.correct, &[0])?;
        backend.write_words(self.cursor, &[0])
    }

    /// Evaluates the next chunk, which begins at sample `first`.
    fn run_chunk(&self, backend: &mut dyn Backend, split: &Split, chunks: &Chunks, first: usize) -> Result<()> {
        if !self.source.resident {
            let range = first..first + chunks.len;
            let images = &split.images()[range.start * split.features()..range.end * split.features()];
            self.source.upload(backend, images, &split.labels()[range])?;
        }
        backend.run(chunks.program, 1)
    }

    fn finish(&self, backend: &mut dyn Backend) -> Result<SplitScore> {
        let losses = backend.read_tensor(self.losses)?;
        let correct = backend.read_words(self.correct)?[0];
        let lengths = self.chunks.iter().flat_map(|chunks| std::iter::repeat_n(chunks.len, chunks.count));
        let sum: f64 = lengths.zip(losses).map(|(len, loss)| len as f64 * f64::from(loss)).sum();
        Ok(SplitScore { loss: sum / self.samples as f64, accuracy: f64::from(correct) / self.samples as f64 })
    }
}
