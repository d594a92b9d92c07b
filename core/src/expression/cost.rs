//! How many steps an expression takes at most, known before it is evaluated: for a record of which no attribute has more
//! than a hundred values in all, and no text more than 256 bytes. Evaluation ends at its budget whatever the record is.

use super::Variable;
use super::failure::{CALL, LONGEST_TEXT, MISSING, READING, STEPS};
use super::functions::Function;
use super::kinds::Kinds;
use super::pattern::Pattern;
use super::tree::{Comprehension, ComprehensionKind, Kind, Node, Operator};
use crate::value::Attributes;
use serde_json::Value;

/// The most values, counted with lists and objects, that an attribute of the record is taken to have.
const VALUES: u64 = 100;
/// The longest text in it, in bytes.
const TEXT: u64 = 256;
/// The longest text that a number, a time or `type` makes.
const SHORT: u64 = 64;
/// What has values in it.
const LISTED: Kinds = Kinds::LIST.or(Kinds::MAP).or(Kinds::OPTIONAL);

/// The most steps for such a record; the whole budget where it may be used up.
pub(super) fn bound(tree: &Node) -> u32 {
    let mut estimate = Estimate { locals: Vec::new(), steps: 0 };
    let size = estimate.node(tree);
    estimate.add(size.written());
    u32::try_from(estimate.steps).map_or(STEPS, |steps| steps.min(STEPS))
}

/// How large a value can be.
#[derive(Clone, Copy)]
struct Size {
    /// Items of the list or keys of the map.
    items: u64,
    /// All values in it, itself too.
    values: u64,
    /// The longest text in it, in bytes.
    text: u64,
    /// Whether maps that the expression makes are in it, of which keys are looked up one after the other.
    made: bool,
}

impl Size {
    const SCALAR: Self = Self { items: 0, values: 1, text: SHORT, made: false };
    const RECORD: Self = Self { items: VALUES, values: VALUES, text: TEXT, made: false };

    fn text(length: u64) -> Self {
        Self { text: length.max(SHORT), ..Self::SCALAR }
    }

    /// The same without what is in it.
    fn scalar(self) -> Self {
        Self { text: self.text, ..Self::SCALAR }
    }

    fn of(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::text(length(text)),
            Value::Array(items) => Self::whole(items.iter()),
            Value::Object(object) => Self::whole(object.values()),
            _ => Self::SCALAR,
        }
    }

    fn whole<'v>(parts: impl Iterator<Item = &'v Value>) -> Self {
        parts.map(Self::of).fold(Self::SCALAR, |whole, part| whole.with(part))
    }

    /// This and one item more.
    fn with(self, item: Self) -> Self {
        let larger = self.max(item);
        let (items, values) = (self.items.saturating_add(1), self.values.saturating_add(item.values));
        Self { items: items.max(item.items), values, ..larger }
    }

    fn max(self, other: Self) -> Self {
        Self {
            items: self.items.max(other.items),
            values: self.values.max(other.values),
            text: self.text.max(other.text),
            made: self.made || other.made,
        }
    }

    /// Two texts, or two lists, one after the other.
    fn and(self, other: Self) -> Self {
        Self {
            items: self.items.saturating_add(other.items),
            values: self.values.saturating_add(other.values),
            text: self.text.saturating_add(other.text),
            made: self.made || other.made,
        }
    }

    /// The steps of looking up one key.
    fn member(self) -> u64 {
        // A value that the expression made is copied when it is taken.
        let keys = if self.made { self.items.saturating_mul(1 + self.text / 16) } else { 0 };
        keys.saturating_add(1 + self.text / 16)
    }

    /// The steps of a comparison with a value of at most that size.
    fn compared(self) -> u64 {
        self.values.saturating_mul((12 + self.text / 8).saturating_add(self.member().saturating_mul(2)))
    }

    /// The steps of writing it as JSON.
    fn written(self) -> u64 {
        self.values.saturating_mul(2 + self.text / 16)
    }
}

struct Estimate {
    locals: Vec<Size>,
    steps: u64,
}

impl Estimate {
    fn add(&mut self, steps: u64) {
        self.steps = self.steps.saturating_add(steps);
    }

    fn node(&mut self, node: &Node) -> Size {
        self.add(1);
        match &node.kind {
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Double(_) => Size::SCALAR,
            Kind::Text(text) => Size::text(length(text)),
            Kind::Variable(variable) => match variable {
                Variable::User | Variable::Current => Size::RECORD,
                Variable::App => Size { made: true, ..Size::RECORD },
                Variable::Token => Size::text(TEXT),
                Variable::Iteration | Variable::Now => Size::SCALAR,
            },
            Kind::Local(index) => {
                let size = self.locals.get(*index).copied().unwrap_or(Size::RECORD);
                self.add(1 + size.text / 16);
                size
            }
            Kind::Member { of, .. } => {
                let size = self.node(of);
                self.add(size.member());
                size
            }
            Kind::Index { of, index, .. } => {
                let size = self.node(of);
                self.node(index);
                self.add(size.member());
                size
            }
            Kind::Has(value) | Kind::Not(value) | Kind::Negate(value) | Kind::IsBlank(value) => {
                let size = self.node(value);
                self.add(steps(MISSING) + size.items + size.text / 16);
                Size::SCALAR
            }
            Kind::And(pair) | Kind::Or(pair) => {
                self.add(steps(MISSING));
                for node in pair.iter() {
                    self.node(node);
                }
                Size::SCALAR
            }
            Kind::Conditional(parts) => self.conditional(parts),
            Kind::Binary(operator, pair) => self.binary(*operator, pair),
            Kind::List(elements) => {
                self.add(1 + (1 + steps(MISSING)) * steps(elements.len()));
                elements.iter().fold(Size::SCALAR, |size, one| size.with(self.node(&one.value)))
            }
            Kind::Map(entries) => self.map(entries.iter().map(|(key, element)| (key, &element.value))),
            Kind::Comprehension(comprehension) => self.comprehension(comprehension),
            Kind::Coalesce(nodes) => {
                self.add(steps(MISSING) * steps(nodes.len()));
                nodes.iter().fold(Size::SCALAR, |size, node| size.max(self.node(node)))
            }
            Kind::Lookup { table, key, default } => self.lookup(table, key, default.as_deref()),
            Kind::Call { function, arguments, pattern } => {
                // Where a list is no argument, the function has failed before it looks at more than one value.
                let taken = |size: Size, kinds: &Kinds| if kinds.meets(LISTED) { size } else { size.scalar() };
                let sizes = arguments.iter().zip(function.takes);
                let sizes: Vec<Size> = sizes.map(|(argument, kinds)| taken(self.node(argument), kinds)).collect();
                self.call(function, &sizes, pattern.as_ref())
            }
        }
    }

    fn conditional(&mut self, parts: &[Node; 3]) -> Size {
        let [condition, then, otherwise] = parts;
        self.node(condition);
        let before = self.steps;
        let size = self.node(then);
        let then = std::mem::replace(&mut self.steps, before);
        let size = size.max(self.node(otherwise));
        self.steps = self.steps.max(then);
        size
    }

    fn binary(&mut self, operator: Operator, pair: &[Node; 2]) -> Size {
        let [left, right] = pair;
        let (left, right) = (self.node(left), self.node(right));
        match operator {
            Operator::Equal | Operator::NotEqual => {
                // Only the values of the smaller can be equal to some of the other; keys are counted before.
                let values = left.values.min(right.values);
                let compared = Size { values, ..left.max(right) }.compared();
                self.add(compared.saturating_add(left.items.saturating_add(right.items).saturating_mul(5)));
            }
            Operator::In => {
                let items = right.items.saturating_mul(2 + right.text / 16);
                self.add(items.saturating_add(left.max(right).compared().saturating_mul(2)));
            }
            Operator::Add => {
                let both = left.and(right);
                self.add((both.text / 16).saturating_add(both.items.saturating_mul(2 + both.text / 16)));
                return Size { text: both.text.min(steps(LONGEST_TEXT)), ..both };
            }
            _ => self.add(left.text.max(right.text) / 16),
        }
        Size::SCALAR
    }

    fn map<'n>(&mut self, entries: impl Iterator<Item = (&'n Node, &'n Node)>) -> Size {
        let mut size = Size { made: true, ..Size::SCALAR };
        for (key, value) in entries {
            self.add(2 + steps(MISSING));
            let key = self.node(key);
            self.add(size.items.saturating_mul(1 + size.text.max(key.text) / 16));
            let value = self.node(value);
            size = size.with(Size { text: value.text.max(key.text), ..value });
        }
        size
    }

    fn comprehension(&mut self, comprehension: &Comprehension) -> Size {
        let range = self.node(&comprehension.range);
        let before = std::mem::replace(&mut self.steps, 0);
        self.locals.push(range);
        if let Some(condition) = &comprehension.condition {
            self.node(condition);
        }
        let body = self.node(&comprehension.body);
        self.locals.pop();
        self.steps = before.saturating_add(range.items.saturating_mul(self.steps.saturating_add(3 + range.text / 8)));
        match comprehension.kind {
            ComprehensionKind::Map => {
                let values = range.items.saturating_mul(body.values).saturating_add(1);
                Size { items: range.items.max(body.items), values, ..body }
            }
            ComprehensionKind::Filter => range,
            _ => Size::SCALAR,
        }
    }

    fn lookup(&mut self, table: &Attributes, key: &Node, default: Option<&Node>) -> Size {
        let text = self.node(key).text;
        self.add(steps(CALL) + text / 16);
        let found = table.values().map(Size::of).fold(Size::SCALAR, Size::max);
        default.map_or(found, |default| found.max(self.node(default)))
    }

    fn call(&mut self, function: &Function, sizes: &[Size], pattern: Option<&Pattern>) -> Size {
        let given = sizes.iter().fold(0, |sum: u64, size| sum.saturating_add(size.text));
        let all = sizes.iter().copied().fold(Size::SCALAR, Size::max);
        let weight = steps(function.weight);
        let made = given.saturating_mul(function.growth).min(steps(LONGEST_TEXT)).max(all.text);
        let (first, second) = (sizes.first().map_or(0, |size| size.text), sizes.get(1).map_or(0, |size| size.text));
        self.add((steps(CALL) + weight).saturating_add(weight.saturating_mul(given) / 16).saturating_add(made / 16));
        // Lists are gone through once, whatever is done with them; texts in them only where they are compared or joined.
        self.add(all.items.saturating_mul(2 + all.text / 16));
        let of_text = Size::text(made);
        match function.name {
            "matches" | "extract" => self.add(pattern.map_or(0, |pattern| pattern.bound(first))),
            "replaceMatch" => self.add(pattern.map_or(0, |pattern| pattern.bound(first)).saturating_mul(first + 2)),
            "title" | "word" => self.add(first.saturating_mul(second) / 16),
            "split" => {
                self.add(2 * first + 2);
                return Size { items: first + 1, values: first + 2, ..of_text };
            }
            "join" => {
                let text = all.items.saturating_mul(all.text.saturating_add(second)).min(steps(LONGEST_TEXT));
                self.add((text / 16).saturating_add(all.items.saturating_mul(3 + all.text / 16)));
                return Size::text(text);
            }
            "replace" => self.add(first),
            "distinct" => self.add(all.items.saturating_mul(all.compared())),
            "pick" => self.add(all.items.saturating_mul(all.member() + 1).saturating_add(all.compared())),
            "pluck" | "primary" => self.add(all.items.saturating_mul(all.member())),
            "sorted" => {
                let comparisons = 64 - u64::from(all.items.leading_zeros());
                self.add(all.items.saturating_mul(comparisons).saturating_mul(1 + all.text / 64));
            }
            "flatten" => self.add(all.values.saturating_mul(2 + all.text / 16)),
            "date" | "timestamp" | "format" => self.add(steps(READING) + first / 16),
            name if name.ends_with("Until") || name.starts_with("add") || name == "toFileTime" => {
                self.add(2 * steps(READING) + (first + second) / 16);
            }
            _ => {}
        }
        if function.gives.meets(LISTED) { Size { text: made, ..all } } else { Size::text(made) }
    }
}

fn length(text: &str) -> u64 {
    steps(text.len())
}

fn steps(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
