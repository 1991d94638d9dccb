//! Images that are used while others are still being decoded: one thread decodes them and hands them over, and whoever wants a batch
//! waits until it is there.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

use eagleeye_data::{PixelFile, Preprocess, Samples};
use tch::TchError;

use crate::gathering::Gathering;
use crate::source::{CHUNK, ImagesError, Source};

/// Chunks that may wait to be taken.
const WAITING: usize = 4;

/// What the decoding thread hands over.
#[derive(Debug)]
enum Delivery {
    /// The next images of a part, in its order.
    Samples(usize, Samples),
    /// The next so many images of a part are in the file.
    InFile(usize, usize),
    Failed(ImagesError),
}

/// Where images of several parts arrive.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// Taken when nothing more is wanted.
    deliveries: RefCell<Option<Receiver<Delivery>>>,
    /// By part: the memory into which its images go, where they go there.
    memory: RefCell<Vec<Option<Gathering>>>,
    /// By part: how many of its images are there.
    arrived: RefCell<Vec<usize>>,
    failure: RefCell<Option<ImagesError>>,
    total: u64,
    told: Cell<u64>,
}

impl Inbox {
    /// Waits until so many images of a part are there.
    ///
    /// # Errors
    /// Where they will never come; [`failure`](Self::failure) says why.
    pub fn until(&self, part: usize, count: usize) -> Result<(), TchError> {
        self.take_what_is_there()?;
        while self.arrived.borrow()[part] < count {
            self.take_next()?;
        }
        Ok(())
    }

    /// How many images of a part are there.
    pub fn arrived(&self, part: usize) -> usize {
        self.arrived.borrow()[part]
    }

    /// Waits for all images; `look` is told how many there are of how many, and may end it.
    pub fn until_all(&self, mut look: impl FnMut(u64, u64) -> Result<(), ImagesError>) -> Result<(), ImagesError> {
        loop {
            let there = self.count();
            self.told.set(there);
            look(there, self.total)?;
            if there == self.total {
                return Ok(());
            }
            if let Err(error) = self.take_next() {
                return Err(self.failure().unwrap_or_else(|| error.into()));
            }
        }
    }

    /// How many images there are, of how many, where that has not been said before.
    pub fn news(&self) -> Option<(u64, u64)> {
        let there = self.count();
        (self.told.replace(there) != there).then_some((there, self.total))
    }

    /// Why images will never come.
    pub fn failure(&self) -> Option<ImagesError> {
        self.failure.borrow_mut().take()
    }

    /// When what is returned is dropped, nothing more is wanted: the thread that decodes must not wait for somebody who takes its
    /// images, however whoever used them has ended.
    pub fn closing(&self) -> Closing<'_> {
        Closing(self)
    }

    fn count(&self) -> u64 {
        self.arrived.borrow().iter().map(|&count| count as u64).sum()
    }

    /// Makes room for what is being decoded, without a race against it.
    fn take_what_is_there(&self) -> Result<(), TchError> {
        for _ in 0..WAITING {
            let next = match &*self.deliveries.borrow() {
                Some(deliveries) => deliveries.try_recv(),
                None => return Ok(()),
            };
            match next {
                Ok(delivery) => self.take(delivery)?,
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return Ok(()),
            }
        }
        Ok(())
    }

    fn take_next(&self) -> Result<(), TchError> {
        let next = self.deliveries.borrow().as_ref().and_then(|deliveries| deliveries.recv().ok());
        if let Some(delivery) = next {
            return self.take(delivery);
        }
        let why = self.failure.borrow().as_ref().map(ToString::to_string);
        Err(TchError::FileFormat(why.unwrap_or_else(|| "nobody decodes the images any more".to_owned())))
    }

    fn take(&self, delivery: Delivery) -> Result<(), TchError> {
        match delivery {
            Delivery::Samples(part, samples) => {
                if let Some(memory) = &mut self.memory.borrow_mut()[part] {
                    self.arrived.borrow_mut()[part] += memory.push(&samples)?;
                }
                Ok(())
            }
            Delivery::InFile(part, count) => {
                self.arrived.borrow_mut()[part] += count;
                Ok(())
            }
            // Those that came before it can be used.
            Delivery::Failed(error) => {
                *self.failure.borrow_mut() = Some(error);
                Ok(())
            }
        }
    }
}

/// Closes an inbox.
pub(crate) struct Closing<'a>(&'a Inbox);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.deliveries.take();
    }
}

/// What the decoding thread has to do.
pub(crate) struct Work {
    /// Indices in the dataset, by part.
    parts: Vec<Vec<usize>>,
    /// Where decoded images are kept, and may be already.
    file: Option<Arc<PixelFile>>,
    /// Whether images are handed over that are in the file.
    into_memory: bool,
    deliveries: SyncSender<Delivery>,
}

/// An inbox and the work that fills it. `memory` has a place for each part whose images go into memory.
pub(crate) fn inbox_and_work(
    parts: Vec<Vec<usize>>,
    file: Option<Arc<PixelFile>>,
    memory: Vec<Option<Gathering>>,
) -> (Rc<Inbox>, Work) {
    let (sender, receiver) = sync_channel(WAITING);
    let inbox = Inbox {
        deliveries: RefCell::new(Some(receiver)),
        arrived: RefCell::new(vec![0; parts.len()]),
        failure: RefCell::new(None),
        total: parts.iter().map(|part| part.len() as u64).sum(),
        told: Cell::new(u64::MAX),
        memory: RefCell::new(memory),
    };
    let into_memory = inbox.memory.borrow().iter().any(Option::is_some);
    (Rc::new(inbox), Work { parts, file, into_memory, deliveries: sender })
}

impl Work {
    /// Decodes the parts in the order of `order`. It ends early when nothing more is wanted, or when `stops` says so, which is asked
    /// before images are handed over.
    pub fn run(self, order: &[usize], source: &mut dyn Source, preprocess: &Preprocess, stops: &dyn Fn() -> bool) {
        let outcome = order.iter().try_for_each(|&part| match &self.file {
            None => self.decode(part, source, preprocess, stops),
            Some(file) => self.complete(part, file, source, preprocess, stops),
        });
        if let Err(error) = outcome {
            // Nobody need wait for it.
            _ = self.deliveries.send(Delivery::Failed(error));
        }
    }

    fn decode(
        &self,
        part: usize,
        source: &mut dyn Source,
        preprocess: &Preprocess,
        stops: &dyn Fn() -> bool,
    ) -> Result<(), ImagesError> {
        let indices = &self.parts[part];
        let mut chunks = indices.chunks(CHUNK);
        source.decode(indices, preprocess, &mut |samples| {
            check(chunks.next().unwrap_or_default(), &samples, preprocess)?;
            self.hand_over(Delivery::Samples(part, samples), stops)
        })
    }

    /// Decodes those images of a part that the file lacks, and hands over all of them.
    fn complete(
        &self,
        part: usize,
        file: &PixelFile,
        source: &mut dyn Source,
        preprocess: &Preprocess,
        stops: &dyn Fn() -> bool,
    ) -> Result<(), ImagesError> {
        let indices = &self.parts[part];
        let mut missing = Vec::new();
        for (place, &index) in indices.iter().enumerate() {
            if place.is_multiple_of(CHUNK) && stops() {
                return Err(ImagesError::Cancelled);
            }
            if !file.has(index)? {
                missing.push(place);
            }
        }
        let wanted: Vec<usize> = missing.iter().map(|&place| indices[place]).collect();
        let (mut chunks, mut places) = (wanted.chunks(CHUNK), missing.chunks(CHUNK));
        let mut handed_over = 0;
        source.decode(&wanted, preprocess, &mut |samples| {
            let (chunk, places) = (chunks.next().unwrap_or_default(), places.next().unwrap_or_default());
            check(chunk, &samples, preprocess)?;
            file.write(chunk, &samples)?;
            // All before the last of them are there.
            let end = places.last().map_or(handed_over, |place| place + 1);
            self.hand_over_from_file(part, file, handed_over..end, stops)?;
            handed_over = end;
            Ok(())
        })?;
        self.hand_over_from_file(part, file, handed_over..indices.len(), stops)
    }

    fn hand_over_from_file(
        &self,
        part: usize,
        file: &PixelFile,
        places: std::ops::Range<usize>,
        stops: &dyn Fn() -> bool,
    ) -> Result<(), ImagesError> {
        self.parts[part][places].chunks(CHUNK).try_for_each(|chunk| {
            let delivery = match self.into_memory {
                true => Delivery::Samples(part, file.read(chunk)?),
                false => Delivery::InFile(part, chunk.len()),
            };
            self.hand_over(delivery, stops)
        })
    }

    fn hand_over(&self, delivery: Delivery, stops: &dyn Fn() -> bool) -> Result<(), ImagesError> {
        if stops() {
            return Err(ImagesError::Cancelled);
        }
        self.deliveries.send(delivery).map_err(|_| ImagesError::Cancelled)
    }
}

/// Whether there are as many values as the images of a chunk have.
fn check(chunk: &[usize], samples: &Samples, preprocess: &Preprocess) -> Result<(), ImagesError> {
    let (images, each, found) = (chunk.len(), preprocess.values(), samples.len());
    if found == images * each { Ok(()) } else { Err(ImagesError::Values { images, each, found }) }
}
