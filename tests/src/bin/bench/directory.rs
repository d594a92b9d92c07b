//! A directory and a target that were once the same and have drifted apart, of any size: what reconciliation is measured on.
//! Everything follows from a person's number, so that nothing is kept and every run has the same people.
//!
//! Of every 2,000 people 10 have no account, 10 are linked to one that is gone, 6 share their address pairwise with one account
//! between two, 4 have two accounts each; the rest have one. Nine of ten of those are linked; the others are found by one of
//! three rules. 20 accounts belong to nobody, and one linked account in fifty has another value in one of ten attributes.

use std::fmt::Write as _;

/// How many people the shares above are of.
pub(crate) const BLOCK: usize = 2000;
/// How many accounts there are for so many people.
pub(crate) const ACCOUNTS_OF_BLOCK: usize = BLOCK - 20 - 6 + 3 + 4 + 20;
/// The compared attributes, by their names in flat rows.
pub(crate) const COMPARED: [&str; 10] = [
    "givenName",
    "familyName",
    "displayName",
    "title",
    "userType",
    "preferredLanguage",
    "timezone",
    "phone",
    "department",
    "costCenter",
];
/// The same ten in the source, and at a SCIM target.
pub(crate) const SOURCES: [&str; 10] =
    ["firstName", "lastName", "displayName", "title", "kind", "language", "zone", "phone", "department", "costCenter"];
pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

const FIRST: [&str; 16] = [
    "Anna", "Ben", "Carla", "David", "Elif", "Farid", "Giulia", "Hanna", "Ivo", "Jana", "Kofi", "Léa", "Marek", "Noor",
    "Otto", "Zoë",
];
const LAST: [&str; 16] = [
    "Aebi", "Berger", "Caduff", "Dürr", "Egger", "Frei", "Gerber", "Huber", "Iten", "Jost", "Keller", "Lüthi", "Meier",
    "Novak", "Odermatt", "Zürcher",
];
const TITLES: [&str; 8] =
    ["Charge Nurse", "Resident", "Physician", "Technician", "Controller", "Buyer", "Architect", "Clerk"];
const KINDS: [&str; 4] = ["nurse", "physician", "staff", "external"];
const LANGUAGES: [&str; 4] = ["de-CH", "fr-CH", "it-CH", "en-GB"];
const ZONES: [&str; 3] = ["Europe/Zurich", "Europe/Paris", "Europe/Rome"];

/// Spreads numbers (the finalizer of MurmurHash3).
fn spread(number: usize, seed: u64) -> u64 {
    let mut hash = (number as u64 ^ seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_add(0x9E37_79B9_7F4A_7C15);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    hash ^ (hash >> 33)
}

fn pick<'a>(from: &[&'a str], hash: u64) -> &'a str {
    let place = usize::try_from(hash % from.len() as u64).unwrap_or_default();
    from.get(place).copied().unwrap_or_default()
}

/// One person, with the values of the ten attributes.
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) values: [String; 10],
}

impl Person {
    pub(crate) fn new(number: usize) -> Self {
        let hash = spread(number, 1);
        let (first, last) = (pick(&FIRST, hash), pick(&LAST, hash >> 8));
        let address = match number % BLOCK {
            // These two share an address with the one before them.
            21 | 23 | 25 => number - 1,
            _ => number,
        };
        Self {
            id: format!("e{number:08}"),
            username: format!("u{number}@example.com"),
            email: format!("person.{address}@mail.example.com"),
            values: [
                first.to_owned(),
                format!("{last}-{number}"),
                format!("{first} {last}-{number}"),
                pick(&TITLES, hash >> 16).to_owned(),
                pick(&KINDS, hash >> 24).to_owned(),
                pick(&LANGUAGES, hash >> 32).to_owned(),
                pick(&ZONES, hash >> 40).to_owned(),
                format!("+41 44 {:03} {:04}", (hash >> 48) % 1000, number % 10_000),
                format!("Ward {}", (hash >> 20) % 400),
                format!("C{:05}", (hash >> 28) % 20_000),
            ],
        }
    }
}

/// One account, as flat as a row of a table.
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) external_id: Option<String>,
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) values: [String; 10],
}

/// What is wrong with the people of one block, by their place in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lot {
    Absent,
    Missing,
    Shared,
    Twice,
    Linked,
    /// Found by the rule of that number.
    Found(u64),
}

pub(crate) fn lot(number: usize) -> Lot {
    match number % BLOCK {
        0..10 => Lot::Absent,
        10..20 => Lot::Missing,
        20..26 => Lot::Shared,
        26..30 => Lot::Twice,
        _ => match spread(number, 2) {
            hash if hash % 10 == 0 => Lot::Found(hash / 10 % 3),
            _ => Lot::Linked,
        },
    }
}

/// Which attribute of the person's linked account differs, where one does: `percent` of them in the state `state`.
pub(crate) fn drift(number: usize, percent: u64, state: u64) -> Option<usize> {
    let hash = spread(number, 1000 + state);
    (hash % 100 < percent).then(|| usize::try_from(hash / 100 % 10).unwrap_or_default())
}

/// The id of the account to which the person is linked.
pub(crate) fn linked_account(number: usize) -> String {
    match lot(number) {
        Lot::Missing => format!("gone-{number:08}"),
        _ => format!("a{number:08}"),
    }
}

/// How a target is made.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) people: usize,
    /// How many in a hundred linked accounts differ.
    pub(crate) drifted: u64,
    /// Tells states of the same target apart.
    pub(crate) state: u64,
    /// Whether every account has its person's id, so that the first rule finds everybody.
    pub(crate) plain: bool,
}

impl Target {
    pub(crate) fn len(&self) -> usize {
        self.people / BLOCK * ACCOUNTS_OF_BLOCK
    }

    /// The accounts, in an order that is not that of the people.
    pub(crate) fn rows(self) -> impl Iterator<Item = Row> {
        let count = self.len().max(1);
        // A step without a factor in common with any of these counts: a prime larger than all of them.
        let step = 1_000_000_007_usize % count;
        (0..self.len()).map(move |place| self.row((place * step + 17) % count))
    }

    /// The account of that number: the first of each block belong to people, the last to nobody.
    fn row(&self, number: usize) -> Row {
        let (block, place) = (number / ACCOUNTS_OF_BLOCK * BLOCK, number % ACCOUNTS_OF_BLOCK);
        match place {
            0..3 => self.of(block + 20 + 2 * place, "s", Some(2)),
            3..11 => self.of(
                block + 26 + (place - 3) / 2,
                if place % 2 == 1 { "t" } else { "v" },
                Some(1 + place as u64 % 2),
            ),
            11..31 => nobody(block + place),
            _ => {
                let person = block + place - 1;
                let found = match lot(person) {
                    Lot::Found(rule) => Some(rule),
                    _ => None,
                };
                self.of(person, "a", found)
            }
        }
    }

    /// An account of this person, which the rule of that number finds where it is not linked.
    fn of(&self, number: usize, prefix: &str, found: Option<u64>) -> Row {
        let Person { id, username, email, mut values } = Person::new(number);
        if prefix == "a"
            && found.is_none()
            && let Some(value) = drift(number, self.drifted, self.state).and_then(|place| values.get_mut(place))
        {
            let _ = write!(value, " (changed {})", self.state);
        }
        let account = format!("{prefix}{number:08}");
        if self.plain {
            return Row { id: account, external_id: Some(id), username, email, values };
        }
        // What the rule goes by differs in letter case at most; what the earlier rules go by is not there or is another.
        let (external_id, username, email) = match found {
            None | Some(0) => (Some(id), username, email),
            Some(1) => (None, username.to_uppercase(), format!("other.{email}")),
            Some(_) => (None, format!("x-{prefix}-{username}"), email.replace("person", "Person")),
        };
        Row { id: account, external_id, username, email, values }
    }
}

fn nobody(number: usize) -> Row {
    let Person { username, email, values, .. } = Person::new(number);
    Row {
        id: format!("n{number:08}"),
        external_id: number.is_multiple_of(2).then(|| format!("former-{number}")),
        username: format!("former-{username}"),
        email: format!("former.{email}"),
        values,
    }
}
