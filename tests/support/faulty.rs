//! The negative control: any device, made to compute one thing wrongly.

use std::collections::HashMap;

use gpu_train::Result;
use gpu_train::backend::{Backend, BufferId, Op, ProgramId, ReadId, Recording, Span};
use gpu_train::device::DeviceInfo;

use super::oracle::{Place, outputs};

/// What is done in place of an operation; `None` leaves it as it is.
pub(crate) type Rewrite = fn(&Op) -> Option<Vec<Op>>;

/// What goes wrong.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// The largest element that this kernel writes is off by one part in a thousand (a word by 1).
    Perturbed(&'static str),
    /// All that this kernel writes is 0, as some drivers leave it without an error.
    Zeros(&'static str),
    /// Another operation is done in place of one.
    Rewritten(Rewrite),
}

/// A device with a fault.
pub(crate) struct Faulty<'b> {
    inner: &'b mut dyn Backend,
    fault: Fault,
    /// A program in pieces, by its first piece; behind each comes what is to be spoilt after it.
    programs: HashMap<ProgramId, Vec<(ProgramId, Vec<Place>)>>,
}

impl<'b> Faulty<'b> {
    pub(crate) fn new(inner: &'b mut dyn Backend, fault: Fault) -> Self {
        Self { inner, fault, programs: HashMap::new() }
    }

    fn spoil(&mut self, place: Place) -> Result<()> {
        match place {
            Place::Floats(tensor) => {
                let mut values = self.inner.read_tensor(tensor)?;
                if matches!(self.fault, Fault::Zeros(_)) {
                    values.fill(0.0);
                } else {
                    let magnitude = |index: usize| if values[index].is_finite() { values[index].abs() } else { -1.0 };
                    let largest =
                        (0..values.len()).fold(0, |most, i| if magnitude(i) > magnitude(most) { i } else { most });
                    let value = &mut values[largest];
                    *value = if *value == 0.0 || !value.is_finite() { 1e-3 } else { *value * 1.001 };
                }
                self.inner.write_tensor(tensor, &values)
            }
            Place::Words(words) => {
                let mut values = self.inner.read_words(words)?;
                if matches!(self.fault, Fault::Zeros(_)) {
                    values.fill(0);
                } else {
                    values[0] = values[0].wrapping_add(1);
                }
                self.inner.write_words(words, &values)
            }
        }
    }
}

impl Backend for Faulty<'_> {
    fn info(&self) -> &DeviceInfo {
        self.inner.info()
    }

    fn max_buffer_bytes(&self) -> u64 {
        self.inner.max_buffer_bytes()
    }

    fn allocate(&mut self, bytes: usize, label: &str) -> Result<BufferId> {
        self.inner.allocate(bytes, label)
    }

    fn free(&mut self, buffer: BufferId) {
        self.inner.free(buffer);
    }

    fn write(&mut self, buffer: BufferId, offset: usize, bytes: &[u8]) -> Result<()> {
        self.inner.write(buffer, offset, bytes)
    }

    fn begin_read(&mut self, span: Span) -> Result<ReadId> {
        self.inner.begin_read(span)
    }

    fn finish_read(&mut self, read: ReadId) -> Result<Vec<u32>> {
        self.inner.finish_read(read)
    }

    fn prepare(&mut self, recording: &Recording) -> Result<ProgramId> {
        let mut pieces = Vec::new();
        let mut piece = Recording::new();
        for op in recording.ops() {
            match self.fault {
                Fault::Rewritten(rewrite) => {
                    for op in rewrite(op).unwrap_or_else(|| vec![op.clone()]) {
                        piece.push(op)?;
                    }
                }
                Fault::Perturbed(kernel) | Fault::Zeros(kernel) => {
                    piece.push(op.clone())?;
                    if op.name() == kernel {
                        let mut places = outputs(op);
                        if matches!(self.fault, Fault::Perturbed(_)) {
                            places.truncate(1);
                        }
                        pieces.push((self.inner.prepare(&std::mem::take(&mut piece))?, places));
                    }
                }
            }
        }
        if !piece.ops().is_empty() || pieces.is_empty() {
            pieces.push((self.inner.prepare(&piece)?, Vec::new()));
        }
        let program = pieces[0].0;
        self.programs.insert(program, pieces);
        Ok(program)
    }

    fn discard(&mut self, program: ProgramId) {
        for (piece, _) in self.programs.remove(&program).unwrap_or_default() {
            self.inner.discard(piece);
        }
    }

    fn run(&mut self, program: ProgramId, times: usize) -> Result<()> {
        let pieces = self.programs[&program].clone();
        for _ in 0..times {
            for (piece, places) in &pieces {
                self.inner.run(*piece, 1)?;
                for &place in places {
                    self.spoil(place)?;
                }
            }
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<()> {
        self.inner.wait()
    }
}
