//! Generated people whose names are as hard on software as names get: twelve scripts, and everything that Unicode and
//! protocols make odd. The same seed gives the same people.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// A script, and syllables of which names in it are made.
type Script = (&'static str, [&'static str; 12]);

/// The twelve scripts.
pub const SCRIPTS: [Script; 12] = [
    ("Latin", ["Åse", "Łuk", "ñez", "Çel", "øre", "žiž", "ưởng", "Ḩaţ", "ðór", "œuv", "šķ", "ĳs"]),
    ("Greek", ["Ἀρι", "στο", "τέ", "λης", "Σο", "φία", "Ὀδυσ", "ψυ", "χή", "ῥο", "δον", "άς"]),
    ("Cyrillic", ["Ива", "нов", "Ёл", "кин", "Щер", "ба", "Їжа", "ќе", "Ђор", "ѣ", "ұлы", "эй"]),
    ("Arabic", ["مُحَ", "مَّد", "عبد", "الله", "نور", "ئي", "پور", "ژا", "ﻻ", "يـــ", "ٱل", "ڭ"]),
    ("Hebrew", ["שָׁל", "וֹם", "יוס", "ף", "מרי", "ם", "בֶּן", "אַבְ", "רָהָם", "צ׳", "ײ", "דָּ"]),
    ("Devanagari", ["क्ष", "ज्ञा", "नि", "र्मा", "श्री", "हिं", "द्ध", "ऋ", "ष्ट्र", "ॐ", "ड़", "कृ"]),
    ("Thai", ["สม", "ชาย", "น้ำ", "เก็", "ไหม", "ป่า", "รุ่ง", "ศรี", "ทอง", "กู้", "ฎี", "ฯ"]),
    ("Han", ["王", "小明", "龍", "𠮷", "田", "陳", "髙", "﨑", "李", "𠀀", "鬱", "爨"]),
    ("Kana", ["たな", "か", "ガ", "ギ", "ッ", "ン", "ぱ", "ゔ", "ヷ", "ｶﾞ", "ー", "ゞ"]),
    ("Hangul", ["한", "국", "김", "철", "수", "\u{1112}\u{1161}\u{11ab}", "값", "뷁", "ᄀ", "ㅎ", "이", "박"]),
    ("Georgian", ["გიო", "რგი", "ჯუ", "ღაშ", "ვი", "ლი", "Ⴀ", "Ა", "ჰ", "წყ", "ჭა", "ძე"]),
    ("Ethiopic", ["ኃይ", "ለ", "ሥላ", "ሴ", "ዮ", "ሐን", "ስ", "ጸ", "ሀይ", "፩", "ቋ", "ⶀ"]),
];

/// What is done to a name, by the name of the oddity. The name stands where there is `~`.
pub const ODDITIES: [(&str, &str); 31] = [
    ("nothing", "~"),
    ("combining marks, lower first", "~a\u{323}\u{307}"),
    ("combining marks, upper first", "~a\u{307}\u{323}"),
    ("a mark at the start", "\u{301}~"),
    ("many marks", "~o\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}\u{309}"),
    ("bidirectional overrides", "\u{202e}~\u{202c}"),
    ("bidirectional isolates", "\u{2067}~\u{2069}\u{200f}\u{200e}"),
    ("a joiner of no width", "~\u{200d}"),
    ("a non-joiner of no width", "a\u{200c}~"),
    ("a space of no width and a byte order mark", "~\u{200b}\u{feff}x"),
    ("variation selectors", "~☃\u{fe0f}☃\u{fe0e}葛\u{e0100}"),
    ("a family of emoji", "~👩\u{200d}👩\u{200d}👧\u{1f3fd}"),
    ("a flag and a flag of tags", "🇩🇪~🏴\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}"),
    ("letters of the fourth byte", "𝓐~𐍈𒀀"),
    ("the edges of the planes", "~\u{d7ff}\u{e000}\u{fffd}\u{ffff}\u{10000}\u{10ffff}"),
    ("Turkish letters", "ıİ~iI"),
    ("sharp s and final sigma", "ßẞ~ΣΑΣ"),
    ("ligatures", "ﬁ~ﬃ\u{132}"),
    ("spaces that do not break", "~\u{a0}x\u{202f}y\u{3000}z"),
    ("spaces at both ends", "  ~ "),
    ("double quotes", "~\"x\""),
    ("apostrophes", "O'~’s`"),
    ("backslashes", "\\~\\\\n\\"),
    ("the end of a filter", "~\\c) or (x eq 1"),
    ("wildcards", "*~%_?"),
    ("brackets", "(~)[x]{y}<z>&amp;"),
    ("characters of URLs", "~#a&b=c+d%20e;f/../?g"),
    ("line breaks and tabs", "~\r\na\tb\u{2028}c\u{85}d"),
    ("control characters", "~\u{0}\u{1}\u{1b}\u{7f}\u{9f}"),
    ("soft hyphens and interlinear marks", "~\u{ad}x\u{fff9}y\u{180e}"),
    ("full width and half width", "Ａ１~ﾊﾟ"),
];

/// So many characters have the longest names.
const LONG: usize = 2600;

/// A generator of numbers (SplitMix64): small, and the same everywhere.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % limit.max(1) as u64).unwrap_or_default()
    }

    fn name(&mut self, script: &Script) -> String {
        let count = 2 + self.below(4);
        (0..count).filter_map(|_| script.1.get(self.below(script.1.len()))).copied().collect()
    }
}

/// So many people: records with `id`, `username`, `firstName`, `lastName`, `nick`, `title`, `department`, `profile`. All
/// combinations of scripts and oddities come in turn. No two have the same last name, though some differ only in the order
/// of their marks or in their normal form; every user name ends with a number, so that none is another's in other letters, and has no double quote, for which django-scim2
/// cannot be asked.
#[must_use]
pub fn people(seed: u64, count: usize) -> Vec<Map<String, Value>> {
    let mut numbers = Numbers(seed);
    let mut last_names = BTreeSet::new();
    let mut twin: Option<String> = None;
    let person = |index: usize| {
        let script = SCRIPTS.get(index % SCRIPTS.len())?;
        let oddity = |shift: usize| ODDITIES.get((index / SCRIPTS.len() + shift) % ODDITIES.len());
        let mut odd = |shift: usize| Some(oddity(shift)?.1.replace('~', &numbers.name(script)));
        let mut last_name = match (index % 20, twin.take()) {
            // The letter alone, and the letter with its mark behind it.
            (19, Some(name)) => format!("{name}e\u{301}"),
            _ => odd(0)?,
        };
        if index % 20 == 18 {
            twin = Some(last_name.clone());
            last_name.push('\u{e9}');
        }
        while !last_names.insert(last_name.clone()) {
            last_name = odd(0)?;
        }
        let (first_name, nick, title, department) = (odd(1)?, odd(7)?, odd(12)?, odd(18)?);
        let username = format!("{}.{index}", odd(0)?.replace('"', "”"));
        let last_name = if index % 331 == 330 { last_name.repeat(LONG / last_name.chars().count()) } else { last_name };
        let record = json!({
            "id": format!("p{index:04}"), "profile": "Employees", "username": username, "firstName": first_name,
            "lastName": last_name, "nick": nick, "title": title, "department": department,
        });
        record.as_object().cloned()
    };
    (0..count).map_while(person).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_people_with_every_oddity_in_every_script() {
        let some = people(7, 1000);
        assert_eq!(some, people(7, 1000));
        assert_ne!(some, people(8, 1000));
        assert_eq!(some.len(), 1000);
        let names: BTreeSet<_> = some.iter().map(|one| one.get("lastName").map(Value::to_string)).collect();
        assert_eq!(names.len(), 1000);
        assert!(1000 >= SCRIPTS.len() * ODDITIES.len());
        assert!(some.iter().any(|one| one.get("lastName").is_some_and(|name| name.to_string().len() > 2000)));
    }
}
