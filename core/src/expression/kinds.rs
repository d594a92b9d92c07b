//! Kinds of values, as far as they can be known before an expression is evaluated: each part has a set of kinds that it
//! can give. Where no kind that a part gives is one that is taken there, the expression can only fail, and is refused.

use super::Variable;
use super::term::Term;
use super::tree::{Access, Comprehension, ComprehensionKind, Kind, Node, Operator};
use crate::fault::{Code, Fault};
use serde_json::Value;

/// A set of kinds of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kinds(u16);

impl Kinds {
    const NONE: Self = Self(0);
    pub(super) const NULL: Self = Self(1);
    pub(super) const BOOL: Self = Self(1 << 1);
    pub(super) const INT: Self = Self(1 << 2);
    pub(super) const DOUBLE: Self = Self(1 << 3);
    pub(super) const TEXT: Self = Self(1 << 4);
    pub(super) const LIST: Self = Self(1 << 5);
    pub(super) const MAP: Self = Self(1 << 6);
    pub(super) const TIME: Self = Self(1 << 7);
    pub(super) const DURATION: Self = Self(1 << 8);
    pub(super) const OPTIONAL: Self = Self(1 << 9);
    pub(super) const ANY: Self = Self((1 << 10) - 1);

    pub(super) const NUMBER: Self = Self::INT.or(Self::DOUBLE);
    /// What an attribute of a record can be; a null counts as missing.
    const RECORD: Self = Self::BOOL.or(Self::NUMBER).or(Self::TEXT).or(Self::LIST).or(Self::MAP);

    /// The kinds with the names that CEL has for them, and with their article.
    const NAMES: [(Self, &'static str, &'static str); 10] = [
        (Self::BOOL, "bool", "a bool"),
        (Self::INT, "int", "an int"),
        (Self::DOUBLE, "double", "a double"),
        (Self::TEXT, "string", "a string"),
        (Self::LIST, "list", "a list"),
        (Self::MAP, "map", "a map"),
        (Self::TIME, "timestamp", "a timestamp"),
        (Self::DURATION, "duration", "a duration"),
        (Self::OPTIONAL, "optional", "an optional"),
        (Self::NULL, "null", "null"),
    ];

    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether a value can be of a kind of both.
    pub(super) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    const fn within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    fn each(self) -> impl Iterator<Item = Self> {
        Self::NAMES.into_iter().map(|(kind, ..)| kind).filter(move |kind| self.meets(*kind))
    }

    /// Whether one of them has a name of the list, or is none that is known before: no value, or an optional one.
    pub(super) fn may_be(self, names: &[&str]) -> bool {
        self.meets(Self::NULL.or(Self::OPTIONAL))
            || Self::NAMES.iter().any(|(kind, name, _)| self.meets(*kind) && names.contains(name))
    }

    /// The names, for reports: `string | null`; `any` where nothing is known.
    pub(super) fn names(self) -> String {
        if self.0.count_ones() > 3 {
            return "any".to_owned();
        }
        let names = Self::NAMES.iter().filter(|(kind, ..)| self.meets(*kind)).map(|(_, name, _)| *name);
        names.collect::<Vec<_>>().join(" | ")
    }

    /// The names with their articles, for messages: `an int or a double`.
    pub(super) fn described(self) -> String {
        if self == Self::RECORD {
            return "an attribute".to_owned();
        }
        let names = Self::NAMES.iter().filter(|(kind, ..)| self.meets(*kind)).map(|(.., name)| *name);
        names.collect::<Vec<_>>().join(" or ")
    }

    fn of_json(value: &Value) -> Self {
        Term::from_json(value).map_or(Self::NUMBER, |term| match term {
            Term::Null => Self::NULL,
            Term::Bool(_) => Self::BOOL,
            Term::Int(_) => Self::INT,
            Term::Double(_) => Self::DOUBLE,
            Term::Text(_) => Self::TEXT,
            Term::Array(_) | Term::List(_) => Self::LIST,
            Term::Object(_) | Term::Map(_) => Self::MAP,
            Term::Time(_) => Self::TIME,
            Term::Duration(_) => Self::DURATION,
            Term::Optional(_) => Self::OPTIONAL,
        })
    }
}

/// The kinds that a tree can give, and a fault for each part that can only fail.
pub(super) fn check(tree: &Node) -> (Kinds, Vec<Fault>) {
    let mut check = Check { locals: Vec::new(), faults: Vec::new() };
    let kinds = check.node(tree);
    (kinds, check.faults)
}

struct Check {
    locals: Vec<Kinds>,
    faults: Vec<Fault>,
}

impl Check {
    /// The kinds that a node can give; never none, so that one fault does not make others.
    fn node(&mut self, node: &Node) -> Kinds {
        let kinds = match &node.kind {
            Kind::Null => Kinds::NULL,
            Kind::Bool(_) | Kind::Has(_) | Kind::IsBlank(_) => self.below(node, Kinds::BOOL),
            Kind::Int(_) => Kinds::INT,
            Kind::Double(_) => Kinds::DOUBLE,
            Kind::Text(_) => Kinds::TEXT,
            Kind::Variable(variable) => match variable {
                Variable::User | Variable::Current | Variable::App => Kinds::MAP,
                Variable::Iteration => Kinds::INT,
                Variable::Token => Kinds::TEXT,
                Variable::Now => Kinds::TIME,
            },
            Kind::Local(index) => self.locals.get(*index).copied().unwrap_or(Kinds::ANY),
            Kind::Member { of, name, access } => {
                let kinds = self.node(of);
                let taken = Kinds::MAP.or(Kinds::OPTIONAL);
                self.expect(kinds, taken, node.position, |kinds| format!("{kinds} has no member `{name}`"));
                member_kinds(of, kinds, *access)
            }
            Kind::Index { of, index, access } => self.index(node, of, index, *access),
            Kind::Not(value) => self.condition(value),
            Kind::And(pair) | Kind::Or(pair) => {
                let [left, right] = pair.as_ref();
                self.condition(left).or(self.condition(right))
            }
            Kind::Conditional(parts) => {
                let [condition, then, otherwise] = parts.as_ref();
                self.condition(condition);
                self.node(then).or(self.node(otherwise))
            }
            Kind::Negate(value) => {
                let kinds = self.node(value);
                let taken = Kinds::NUMBER.or(Kinds::DURATION);
                self.expect(kinds, taken, node.position, |kinds| format!("`-` does not take {kinds}"));
                Kinds(kinds.0 & taken.0)
            }
            Kind::Binary(operator, pair) => self.binary(node, *operator, pair),
            Kind::List(elements) => {
                for element in elements {
                    self.node(&element.value);
                }
                Kinds::LIST
            }
            Kind::Map(entries) => {
                for (key, element) in entries {
                    let kinds = self.node(key);
                    let taken = Kinds::TEXT.or(Kinds::INT).or(Kinds::BOOL);
                    self.expect(kinds, taken, key.position, |kinds| format!("{kinds} cannot be a key"));
                    self.node(&element.value);
                }
                Kinds::MAP
            }
            Kind::Comprehension(comprehension) => self.comprehension(node, comprehension),
            Kind::Coalesce(nodes) => self.coalesce(nodes),
            Kind::Lookup { table, key, default } => {
                let found = table.values().fold(Kinds::NONE, |kinds, value| kinds.or(Kinds::of_json(value)));
                let kinds = self.node(key);
                let taken = Kinds::ANY.without(Kinds::LIST).without(Kinds::MAP);
                self.expect(kinds, taken, key.position, |kinds| format!("`lookup` takes a key, not {kinds}"));
                found.or(default.as_ref().map_or(Kinds::NULL, |default| self.node(default)))
            }
            Kind::Call { function, arguments, .. } => {
                for (argument, taken) in arguments.iter().zip(function.takes) {
                    let kinds = self.node(argument);
                    let wrong = |kinds| format!("`{}` takes {}, not {kinds}", function.name, taken.described());
                    self.expect(kinds, *taken, argument.position, wrong);
                }
                function.gives
            }
        };
        if kinds == Kinds::NONE { Kinds::ANY } else { kinds }
    }

    fn below(&mut self, node: &Node, kinds: Kinds) -> Kinds {
        if let Kind::Has(value) | Kind::IsBlank(value) = &node.kind {
            self.node(value);
        }
        kinds
    }

    fn index(&mut self, node: &Node, of: &Node, index: &Node, access: Access) -> Kinds {
        let (kinds, key) = (self.node(of), self.node(index));
        let taken = Kinds::MAP.or(Kinds::LIST).or(Kinds::OPTIONAL);
        self.expect(kinds, taken, node.position, |kinds| format!("{kinds} has no members"));
        let keys = if kinds == Kinds::LIST { Kinds::INT } else { Kinds::TEXT.or(Kinds::INT).or(Kinds::BOOL) };
        self.expect(key, keys, index.position, |key| format!("{} has no member under {key}", kinds.described()));
        member_kinds(of, kinds, access)
    }

    fn condition(&mut self, node: &Node) -> Kinds {
        let kinds = self.node(node);
        self.expect(kinds, Kinds::BOOL, node.position, |kinds| {
            format!("a condition must be true or false, not {kinds}")
        });
        Kinds::BOOL
    }

    fn binary(&mut self, node: &Node, operator: Operator, pair: &[Node; 2]) -> Kinds {
        let [left, right] = pair;
        let (left, right) = (self.node(left), self.node(right));
        let mut kinds = Kinds::NONE;
        for one in left.each() {
            kinds = right.each().fold(kinds, |kinds, other| kinds.or(operation(operator, one, other)));
        }
        if kinds == Kinds::NONE {
            let (sign, left, right) = (operator.sign(), left.described(), right.described());
            self.refuse(node.position, format!("`{sign}` does not take {left} and {right}"));
        }
        kinds
    }

    fn comprehension(&mut self, node: &Node, comprehension: &Comprehension) -> Kinds {
        let range = self.node(&comprehension.range);
        let taken = Kinds::LIST.or(Kinds::MAP);
        self.expect(range, taken, node.position, |kinds| format!("{kinds} is no list to go through"));
        self.locals.push(if range == Kinds::MAP { Kinds::TEXT.or(Kinds::INT).or(Kinds::BOOL) } else { Kinds::ANY });
        if let Some(condition) = &comprehension.condition {
            self.condition(condition);
        }
        let maps = comprehension.kind == ComprehensionKind::Map;
        if maps {
            self.node(&comprehension.body);
        } else {
            self.condition(&comprehension.body);
        }
        self.locals.pop();
        if maps || comprehension.kind == ComprehensionKind::Filter { Kinds::LIST } else { Kinds::BOOL }
    }

    /// What is absent is passed over, so only the last can leave nothing.
    fn coalesce(&mut self, nodes: &[Node]) -> Kinds {
        let mut kinds = Kinds::NONE;
        for node in nodes {
            let found = self.node(node);
            kinds = kinds.or(if found.meets(Kinds::OPTIONAL) { Kinds::ANY } else { found });
        }
        let kinds = kinds.without(Kinds::NULL);
        let certain = nodes.last().is_some_and(|last| {
            matches!(last.kind, Kind::Bool(_) | Kind::Int(_) | Kind::Double(_) | Kind::Text(_) | Kind::List(_))
        });
        if certain { kinds } else { kinds.or(Kinds::NULL) }
    }

    fn expect(&mut self, kinds: Kinds, taken: Kinds, position: usize, message: impl FnOnce(String) -> String) {
        if !kinds.meets(taken) {
            self.refuse(position, message(kinds.described()));
        }
    }

    fn refuse(&mut self, position: usize, message: String) {
        self.faults.push(Fault::new(Code::ExpressionInvalid, message).position(position));
    }
}

/// What a member of a value can be. Below a record there are only values of JSON.
fn member_kinds(of: &Node, kinds: Kinds, access: Access) -> Kinds {
    let optional = access == Access::Optional || kinds == Kinds::OPTIONAL;
    match &of.kind {
        _ if optional => Kinds::OPTIONAL,
        Kind::Variable(Variable::App) => Kinds::TEXT,
        _ if is_of_record(of) => Kinds::RECORD,
        _ => Kinds::ANY,
    }
}

/// Whether a node is a path from a record of which each step must be there.
fn is_of_record(node: &Node) -> bool {
    match &node.kind {
        Kind::Variable(variable) => matches!(variable, Variable::User | Variable::Current),
        Kind::Member { of, access: Access::Certain, .. } => is_of_record(of),
        // An item of a list can be null.
        Kind::Index { of, index, access: Access::Certain } => matches!(index.kind, Kind::Text(_)) && is_of_record(of),
        _ => false,
    }
}

/// What an operator gives for two kinds; nothing where it does not take them.
fn operation(operator: Operator, left: Kinds, right: Kinds) -> Kinds {
    use Operator::{Add, Divide, In, Modulo, Multiply, Subtract};
    let numbers = left.within(Kinds::NUMBER) && right.within(Kinds::NUMBER);
    match operator {
        In if right.within(Kinds::LIST.or(Kinds::MAP)) => Kinds::BOOL,
        In => Kinds::NONE,
        // What is missing can be compared with everything; other kinds are never equal, which nobody means to ask.
        Operator::Equal | Operator::NotEqual => {
            let comparable = left == right || numbers || left == Kinds::NULL || right == Kinds::NULL;
            if comparable { Kinds::BOOL } else { Kinds::NONE }
        }
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            let ordered = Kinds::TEXT.or(Kinds::BOOL).or(Kinds::TIME).or(Kinds::DURATION);
            if numbers || (left == right && left.within(ordered)) { Kinds::BOOL } else { Kinds::NONE }
        }
        Add | Subtract | Multiply | Divide | Modulo if numbers => match (left == Kinds::INT, right == Kinds::INT) {
            (true, true) => Kinds::INT,
            _ if operator == Modulo => Kinds::NONE,
            _ => Kinds::DOUBLE,
        },
        Add if left == right && left.within(Kinds::TEXT.or(Kinds::LIST).or(Kinds::DURATION)) => left,
        Add if left == Kinds::DURATION && right == Kinds::TIME => Kinds::TIME,
        Add | Subtract if left == Kinds::TIME && right == Kinds::DURATION => Kinds::TIME,
        Subtract if left == right && left.within(Kinds::TIME.or(Kinds::DURATION)) => Kinds::DURATION,
        Add | Subtract | Multiply | Divide | Modulo => Kinds::NONE,
    }
}
