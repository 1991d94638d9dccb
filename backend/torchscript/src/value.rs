//! What the network's code computes with while it is read: numbers, containers, modules and tensors.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use eagleeye_graph::{Count, ElementType, Unsupported, ValueId};
use tch::Tensor;

/// A value of the running code. Lists, dicts and tensors have identity, as in Python.
#[derive(Clone, Debug)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(Count),
    Float(f64),
    String(Rc<str>),
    Tensor(TensorRef),
    Tuple(Rc<[Value]>),
    List(Rc<RefCell<Vec<Value>>>),
    Dict(Rc<RefCell<Vec<(Value, Value)>>>),
    /// An object of the module, and the path under which it was reached.
    Object(usize, Rc<str>),
    Function(Rc<str>),
    /// Something that no supported operator looks at.
    Other(Rc<str>),
    /// An output that the engine does not have, for example the indices of a max pooling, and what is said where it is used.
    Missing(Rc<Unsupported>),
    /// The result of something unsupported that was already noted.
    Unknown,
}

impl Value {
    pub fn int(value: i64) -> Self {
        Self::Int(Count::fixed(value))
    }

    pub fn list(items: Vec<Value>) -> Self {
        Self::List(Rc::new(RefCell::new(items)))
    }

    pub fn tuple(items: Vec<Value>) -> Self {
        Self::Tuple(items.into())
    }

    /// Items of a list or tuple.
    pub fn items(&self) -> Option<Vec<Value>> {
        match self {
            Self::Tuple(items) => Some(items.to_vec()),
            Self::List(items) => Some(items.borrow().clone()),
            _ => None,
        }
    }

    /// Whether nothing can be said about the value or a part of it.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Unknown => true,
            Self::Tuple(items) => items.iter().any(Self::is_unknown),
            Self::List(items) => items.borrow().iter().any(Self::is_unknown),
            _ => false,
        }
    }

    /// An output that the engine does not have, if this is one or holds one.
    pub fn missing(&self) -> Option<Rc<Unsupported>> {
        match self {
            Self::Missing(cause) => Some(Rc::clone(cause)),
            Self::Tuple(items) => items.iter().find_map(Self::missing),
            Self::List(items) => items.borrow().iter().find_map(Self::missing),
            Self::Dict(entries) => entries.borrow().iter().find_map(|(_, value)| value.missing()),
            _ => None,
        }
    }

    /// Python's `is`.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Tensor(a), Self::Tensor(b)) => Rc::ptr_eq(&a.0, &b.0),
            (Self::List(a), Self::List(b)) => Rc::ptr_eq(a, b),
            (Self::Dict(a), Self::Dict(b)) => Rc::ptr_eq(a, b),
            (Self::Tuple(a), Self::Tuple(b)) => Rc::ptr_eq(a, b),
            (Self::Object(a, _), Self::Object(b, _)) => a == b,
            _ => false,
        }
    }

    /// What the value is, for messages.
    pub fn describe(&self) -> &str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a bool",
            Self::Int(_) => "an int",
            Self::Float(_) => "a float",
            Self::String(_) => "a string",
            Self::Tensor(_) => "a tensor",
            Self::Tuple(_) => "a tuple",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dict",
            Self::Object(..) => "an object",
            Self::Function(_) => "a function",
            Self::Other(kind) => kind,
            Self::Missing(_) => "a result that is not computed",
            Self::Unknown => "a value of another kind",
        }
    }
}

/// What a tensor is known to be.
#[derive(Debug)]
pub(super) enum Content {
    /// A value of the graph: an activation or a stored tensor.
    Graph(ValueId),
    /// Entries that do not depend on the input.
    Known(Tensor),
    /// The same for a constant that depends on the batch: what it is for each of [`super::batched::SAMPLES`] images.
    Batched([Tensor; 2]),
}

impl Clone for Content {
    fn clone(&self) -> Self {
        match self {
            Self::Graph(id) => Self::Graph(*id),
            Self::Known(tensor) => Self::Known(tensor.shallow_clone()),
            Self::Batched(samples) => Self::Batched(samples.each_ref().map(Tensor::shallow_clone)),
        }
    }
}

/// Memory that tensors share. In-place operations on one of them change the others behind their backs; the versions tell.
#[derive(Debug, Default)]
struct Storage {
    /// The memory that this one is a separate part of (one output of a split).
    whole: Option<Rc<Storage>>,
    /// Changes made to all of this memory.
    changes: Cell<u32>,
    /// Changes made to parts of it.
    changes_below: Cell<u32>,
}

impl Storage {
    fn version(&self) -> u32 {
        let whole = self.whole.as_ref().map_or(0, |w| w.version_above());
        whole + self.changes.get() + self.changes_below.get()
    }

    fn version_above(&self) -> u32 {
        self.changes.get() + self.whole.as_ref().map_or(0, |w| w.version_above())
    }

    fn change(&self) {
        self.changes.set(self.changes.get() + 1);
        let mut above = self.whole.as_ref();
        while let Some(storage) = above {
            storage.changes_below.set(storage.changes_below.get() + 1);
            above = storage.whole.as_ref();
        }
    }
}

#[derive(Debug)]
struct Slot {
    content: RefCell<Content>,
    storage: Rc<Storage>,
    version: Cell<u32>,
    /// The tensor that this one was cut from, and how.
    base: Option<(TensorRef, Cut)>,
    /// The element type that the code has cast it to. Casts are no nodes of the graph, whose values are all `f32`.
    element: Option<ElementType>,
}

/// A part of a tensor: entries `start, start + step, ...` below `end` along an axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub axis: usize,
    pub start: usize,
    pub end: usize,
    pub step: usize,
    /// Whether the part is without the axis, of which it has one entry.
    pub dropped: bool,
}

/// A tensor of the running code. Clones are the same tensor.
#[derive(Clone, Debug)]
pub(super) struct TensorRef(Rc<Slot>);

impl TensorRef {
    /// A tensor with memory of its own.
    pub fn new(content: Content) -> Self {
        Self::on(content, Rc::default())
    }

    /// The same entries in another element type, with memory of their own.
    pub fn cast(content: Content, element: ElementType) -> Self {
        let storage = Rc::<Storage>::default();
        let version = Cell::new(storage.version());
        let content = RefCell::new(content);
        Self(Rc::new(Slot { content, storage, version, base: None, element: Some(element) }))
    }

    /// The element type that the code has cast this tensor to.
    pub fn element(&self) -> Option<ElementType> {
        self.0.element
    }

    /// A tensor that sees all of this one's memory in another shape.
    pub fn view(&self, content: Content) -> Self {
        Self::on(content, Rc::clone(&self.0.storage))
    }

    /// A slice of this tensor, which remembers where it was cut from.
    pub fn slice(&self, content: Content, cut: Cut) -> Self {
        let (storage, version) = (Rc::clone(&self.0.storage), Cell::new(self.0.storage.version()));
        let (content, base) = (RefCell::new(content), Some((self.clone(), cut)));
        Self(Rc::new(Slot { content, storage, version, base, element: None }))
    }

    /// The tensor that this slice was cut from.
    pub fn base(&self) -> Option<(&Self, Cut)> {
        self.0.base.as_ref().map(|(base, cut)| (base, *cut))
    }

    /// What the tensor is after a part of it was assigned to, which has counted as a change already.
    pub fn refresh(&self, content: Content) {
        self.0.version.set(self.0.storage.version());
        *self.0.content.borrow_mut() = content;
    }

    /// A tensor that sees a part of this one's memory which no other part overlaps.
    pub fn part(&self, content: Content) -> Self {
        let whole = Some(Rc::clone(&self.0.storage));
        Self::on(content, Rc::new(Storage { whole, ..Storage::default() }))
    }

    fn on(content: Content, storage: Rc<Storage>) -> Self {
        let version = Cell::new(storage.version());
        Self(Rc::new(Slot { content: RefCell::new(content), storage, version, base: None, element: None }))
    }

    /// What the tensor is, or `None` where an in-place operation on another view of its memory has changed it.
    pub fn content(&self) -> Option<Content> {
        let content = self.0.content.borrow().clone();
        // Known tensors share real memory, so theirs is always up to date.
        let fresh = !matches!(content, Content::Graph(_)) || self.0.version.get() == self.0.storage.version();
        fresh.then_some(content)
    }

    /// An in-place operation gives the tensor a new content.
    pub fn assign(&self, content: Content) {
        self.0.storage.change();
        self.0.version.set(self.0.storage.version());
        *self.0.content.borrow_mut() = content;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(id: u32) -> Content {
        Content::Graph(ValueId(id))
    }

    #[test]
    fn a_view_is_stale_after_its_base_was_changed_in_place_and_the_other_way_round() {
        let base = TensorRef::new(graph(0));
        let view = base.view(graph(1));
        base.assign(graph(2));
        assert!(view.content().is_none() && base.content().is_some());
        let view = base.view(graph(3));
        view.assign(graph(4));
        assert!(base.content().is_none() && view.content().is_some());
    }

    #[test]
    fn parts_of_a_split_do_not_disturb_each_other() {
        let base = TensorRef::new(graph(0));
        let (left, right) = (base.part(graph(1)), base.part(graph(2)));
        left.assign(graph(3));
        assert!(right.content().is_some() && left.content().is_some() && base.content().is_none());
    }
}
