//! A device's memory with a copy on the host, and the one check that all cases go through.

use std::collections::HashMap;

use gpu_train::backend::{Backend, BufferId, Bytes, Op, Recording, Span, Tensor, Words};
use gpu_train::{Error, Result};

use super::oracle::{self, Place};
use super::tolerance::{Mismatch, compare};

/// Stands before and behind every operand and in every result that is yet to be written: a NaN, so that a kernel
/// that reads too far or writes too little shows it.
const GUARD: u32 = 0x7fc0_dead;

/// Words behind each operand.
const MARGIN: usize = 64;

/// What buffers hold, word by word.
#[derive(Clone, Default)]
pub(crate) struct Contents(HashMap<BufferId, Vec<u32>>);

impl Contents {
    fn range(&self, span: Span) -> &[u32] {
        &self.0[&span.buffer][span.start / 4..span.end.div_ceil(4)]
    }

    pub(crate) fn floats(&self, tensor: Tensor) -> Vec<f64> {
        self.range(tensor.span()).iter().map(|&bits| f64::from(f32::from_bits(bits))).collect()
    }

    pub(crate) fn words(&self, words: Words) -> Vec<u32> {
        self.range(words.span()).to_vec()
    }

    pub(crate) fn bytes(&self, bytes: Bytes) -> Vec<u8> {
        bytemuck::cast_slice(self.range(bytes.span())).to_vec()
    }
}

/// What became of one operation on one device.
pub(crate) struct Outcome {
    /// Each operand that is wrong, with its worst element.
    pub(crate) wrong: Vec<(&'static str, Mismatch)>,
    /// Every bit that the operation wrote.
    pub(crate) bits: Vec<u32>,
}

/// The operands of one case.
pub(crate) struct Memory<'d> {
    device: &'d mut dyn Backend,
    /// Where operands begin in their buffers, in words.
    shift: usize,
    contents: Contents,
}

impl<'d> Memory<'d> {
    /// Operands will stand `shift` words behind the beginning of their buffers, a multiple of 64.
    pub(crate) fn new(device: &'d mut dyn Backend, shift: usize) -> Self {
        Self { device, shift, contents: Contents::default() }
    }

    fn place(&mut self, words: &[u32]) -> Result<BufferId> {
        let mut all = vec![GUARD; self.shift];
        all.extend_from_slice(words);
        all.extend([GUARD; MARGIN]);
        self.buffer(all)
    }

    fn buffer(&mut self, words: Vec<u32>) -> Result<BufferId> {
        let buffer = self.device.allocate(words.len() * 4, "an operand under test")?;
        self.device.write(buffer, 0, bytemuck::cast_slice(&words))?;
        self.contents.0.insert(buffer, words);
        Ok(buffer)
    }

    /// A tensor with these values.
    pub(crate) fn tensor(&mut self, values: &[f32], rows: usize, columns: usize) -> Result<Tensor> {
        assert_eq!(values.len(), rows * columns, "a case's values fit its shape");
        Ok(Tensor { buffer: self.place(bytemuck::cast_slice(values))?, offset: self.shift, rows, columns })
    }

    /// A tensor yet to be written.
    pub(crate) fn result(&mut self, rows: usize, columns: usize) -> Result<Tensor> {
        Ok(Tensor { buffer: self.place(&vec![GUARD; rows * columns])?, offset: self.shift, rows, columns })
    }

    /// These words.
    pub(crate) fn words(&mut self, values: &[u32]) -> Result<Words> {
        Ok(Words { buffer: self.place(values)?, offset: self.shift, len: values.len() })
    }

    /// Words yet to be written.
    pub(crate) fn word_result(&mut self, len: usize) -> Result<Words> {
        self.words(&vec![GUARD; len])
    }

    /// These bytes, `columns` a sample.
    pub(crate) fn bytes(&mut self, values: &[u8], columns: usize) -> Result<Bytes> {
        let mut padded = values.to_vec();
        padded.resize(values.len().next_multiple_of(4), 0xa5);
        let buffer = self.buffer(bytemuck::pod_collect_to_vec(&padded))?;
        Ok(Bytes { buffer, rows: values.len() / columns, columns })
    }

    /// Runs the operation alone and compares everything that it wrote, and everything that it should not have.
    pub(crate) fn check(&mut self, op: Op) -> Result<Outcome> {
        let mut recording = Recording::new();
        recording.push(op.clone())?;
        self.device.run_once(&recording)?;
        let mut after = Contents::default();
        for (&buffer, words) in &self.contents.0 {
            let read = self.device.begin_read(Span { buffer, start: 0, end: words.len() * 4 })?;
            after.0.insert(buffer, bytemuck::cast_vec(self.device.finish_read(read)?));
        }
        let mut outcome = Outcome { wrong: Vec::new(), bits: Vec::new() };
        for expected in oracle::expect(&op, &self.contents, &after) {
            let (got, span): (Vec<f64>, Span) = match expected.place {
                Place::Floats(tensor) => (after.floats(tensor), tensor.span()),
                Place::Words(words) => {
                    let got = after.words(words).into_iter().map(f64::from);
                    // Where the contract leaves a word open, whatever is there is right.
                    let open = expected.values.iter().map(|value| value.is_nan());
                    (got.zip(open).map(|(got, open)| if open { f64::NAN } else { got }).collect(), words.span())
                }
            };
            if let Err(mismatch) = compare(&got, &expected.values, &expected.tolerance) {
                outcome.wrong.push((expected.operand, mismatch));
            }
            let specified =
                expected.values.iter().map(|value| !value.is_nan() || matches!(expected.place, Place::Floats(_)));
            outcome.bits.extend(after.range(span).iter().zip(specified).filter(|(_, s)| *s).map(|(bits, _)| bits));
        }
        self.check_untouched(&op, &after, &mut outcome);
        Ok(outcome)
    }

    fn check_untouched(&self, op: &Op, after: &Contents, outcome: &mut Outcome) {
        let written: Vec<Span> = oracle::outputs(op)
            .into_iter()
            .map(|place| match place {
                Place::Floats(tensor) => tensor.span(),
                Place::Words(words) => words.span(),
            })
            .collect();
        for (&buffer, words) in &self.contents.0 {
            let may_change = |index: usize| {
                written.iter().any(|span| span.buffer == buffer && (span.start..span.end).contains(&(index * 4)))
            };
            let changed: Vec<usize> = (0..words.len())
                .filter(|&index| !may_change(index) && after.0[&buffer][index] != words[index])
                .collect();
            if let Some(&index) = changed.first() {
                let mismatch = Mismatch {
                    index,
                    expected: f64::from(words[index]),
                    got: f64::from(after.0[&buffer][index]),
                    allowed: 0.0,
                    tolerance: "words outside the results stay as they were".into(),
                    wrong: changed.len(),
                    of: words.len(),
                };
                outcome.wrong.push(("memory outside the results", mismatch));
            }
        }
    }
}

impl Drop for Memory<'_> {
    fn drop(&mut self) {
        for &buffer in self.contents.0.keys() {
            self.device.free(buffer);
        }
    }
}

/// An error of the device as the failure of a case.
pub(crate) fn describe(error: &Error) -> String {
    format!("{error}{}", error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default())
}
