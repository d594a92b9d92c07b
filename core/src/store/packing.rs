//! The lines of a page in little room. The accounts of a target have the same members, so that of each line little is left but
//! where its values differ from those of the line before: less is sealed, written and read.
//!
//! A packed text is a list of steps. Each copies some of what was unpacked so far, from where the last one stopped, moves that
//! place, and adds text of its own. Where it is moved to is a guess of who packs; a wrong one costs room and nothing else.

/// What a packed text begins with. No line of JSON does.
const PACKED: u8 = 1;

/// How far back a member is looked for by its name.
const WINDOW: usize = 8 * 1024;

/// How many bytes may be looked through for names, for each byte of the text, before none is looked for any more: whatever names a
/// target makes up, a page takes a time that goes with its size.
const MOST_LOOKED_THROUGH: usize = 64;

/// The text in little room; as it is where that takes more.
pub(super) fn pack(text: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(text.len() / 2 + 16);
    packed.push(PACKED);
    Packer { text, from: 0, to: 0, looked_through: 0 }.pack(&mut packed);
    if packed.len() <= text.len() || text.first() == Some(&PACKED) { packed } else { text.to_vec() }
}

/// The text that was packed; nothing where it was not.
pub(super) fn unpack(stored: Vec<u8>) -> Option<Vec<u8>> {
    let Some(mut rest) = stored.strip_prefix(&[PACKED]) else { return Some(stored) };
    let mut text = Vec::with_capacity(rest.len().saturating_mul(3));
    let mut from: usize = 0;
    while !rest.is_empty() {
        let [copied, moved, own] = [number(&mut rest)?, number(&mut rest)?, number(&mut rest)?];
        let end = from.checked_add(copied)?;
        if end > text.len() {
            return None;
        }
        text.extend_from_within(from..end);
        from = end.checked_add_signed(signed(moved))?;
        let (own, later) = rest.split_at_checked(own)?;
        text.extend_from_slice(own);
        rest = later;
    }
    Some(text)
}

/// Packs one text.
struct Packer<'t> {
    text: &'t [u8],
    /// Where what comes next is thought to stand already.
    from: usize,
    /// How far it is packed.
    to: usize,
    /// How many bytes were looked through for names.
    looked_through: usize,
}

impl Packer<'_> {
    fn pack(&mut self, packed: &mut Vec<u8>) {
        while self.to < self.text.len() {
            let copied = self.common();
            self.from += copied;
            self.to += copied;
            let rest = self.text.get(self.to..).unwrap_or_default();
            let at_quote = quote(rest);
            // Where the same would be had again and again, something is left to itself.
            let own = match at_quote {
                0 if copied == 0 => 1 + quote(rest.get(1..).unwrap_or_default()),
                at_quote => at_quote,
            };
            let next = self.next(own);
            let moved = next.wrapping_sub(self.from).cast_signed();
            self.from = next;
            push(copied, packed);
            push(unsigned(moved), packed);
            push(own, packed);
            packed.extend_from_slice(rest.get(..own).unwrap_or_default());
            self.to += own;
        }
    }

    /// How much of what comes next stands where it is thought to.
    fn common(&self) -> usize {
        let (Some(known), Some(rest)) = (self.text.get(self.from..self.to), self.text.get(self.to..)) else { return 0 };
        let ((eights, _), (others, _)) = (known.as_chunks::<8>(), rest.as_chunks::<8>());
        let count = 8 * eights.iter().zip(others).take_while(|(one, other)| one == other).count();
        let tails = known.get(count..).unwrap_or_default().iter().zip(rest.get(count..).unwrap_or_default());
        count + tails.take_while(|(one, other)| one == other).count()
    }

    /// Where what follows the next `own` bytes is thought to stand: after the same name, where these are the end of one; else at
    /// the next quotation mark.
    fn next(&mut self, own: usize) -> usize {
        let end = self.to + own;
        let may_look = self.looked_through / MOST_LOOKED_THROUGH < self.text.len();
        if may_look && self.text.get(end..).is_some_and(|rest| rest.starts_with(b"\":")) {
            let start = self.text.get(..end).and_then(|before| before.iter().rposition(|byte| *byte == b'"'));
            let name = self.text.get(start.unwrap_or(end)..end + 2).unwrap_or_default();
            let window = self.to.saturating_sub(WINDOW);
            let known = self.text.get(window..self.to).unwrap_or_default();
            let found = known.windows(name.len()).rposition(|one| one == name);
            self.looked_through += known.len() - found.unwrap_or_default();
            if let Some(at) = found {
                return window + at + name.len() - 2;
            }
        }
        let known = self.text.get(self.from..self.to).unwrap_or_default();
        self.from + quote(known)
    }
}

/// Where the next quotation mark stands; the end where there is none.
fn quote(text: &[u8]) -> usize {
    text.iter().position(|byte| *byte == b'"').unwrap_or(text.len())
}

/// A number in groups of seven bits, the lowest first; in all but the last the highest bit is set.
fn push(mut number: usize, packed: &mut Vec<u8>) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return packed.push(low);
        }
        packed.push(low | 0x80);
    }
}

fn number(rest: &mut &[u8]) -> Option<usize> {
    let mut number = 0_usize;
    for shift in (0..usize::BITS).step_by(7) {
        let (byte, later) = rest.split_first()?;
        *rest = later;
        number |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// A move as a number without a sign, small where the move is.
fn unsigned(moved: isize) -> usize {
    (moved << 1 ^ moved >> (isize::BITS - 1)).cast_unsigned()
}

fn signed(number: usize) -> isize {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(id: usize, phone: bool) -> String {
        let phone =
            if phone { format!(r#","phoneNumbers":[{{"value":"+41 44 {id}","type":"work"}}]"#) } else { String::new() };
        format!(
            r#"{{"external_id":"a{id:08}","username":"u{id}@example.com","attributes":{{"userName":"u{id}@example.com","name":{{"familyName":"Frei-{id}","givenName":"Anna"}},"active":true,"emails":[{{"value":"person.{id}@mail.example.com","type":"work","primary":true}}]{phone},"title":"Charge Nurse","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{{"department":"Ward {}"}}}},"version":"W/\"a330bc{id}\""}}"#,
            id % 7
        ) + "\n"
    }

    #[test]
    fn accounts_with_the_same_members_take_a_third() {
        let text: String = (0..500).map(|id| line(id * 7919 % 100_000, true)).collect();
        let packed = pack(text.as_bytes());
        assert!(packed.len() * 3 < text.len(), "{} of {}", packed.len(), text.len());
        assert_eq!(unpack(packed).unwrap(), text.as_bytes());
    }

    #[test]
    fn a_member_that_is_missing_now_and_then_costs_little() {
        let text: String = (0..500).map(|id| line(id * 7919 % 100_000, id % 3 == 0)).collect();
        let packed = pack(text.as_bytes());
        assert!(packed.len() * 5 < text.len() * 2, "{} of {}", packed.len(), text.len());
        assert_eq!(unpack(packed).unwrap(), text.as_bytes());
    }

    /// Names that hardly ever stand within the window.
    #[test]
    fn names_that_stand_far_back_are_not_looked_for_without_end() {
        let name = |number: usize| number.wrapping_mul(2_654_435_761) >> 7 & 0xf_ffff;
        let text: String = (0..20_000).map(|number| format!(r#""{:07}":{number},"#, name(number))).collect();
        let mut packer = Packer { text: text.as_bytes(), from: 0, to: 0, looked_through: 0 };
        let mut packed = vec![PACKED];
        packer.pack(&mut packed);
        assert!(packer.looked_through <= MOST_LOOKED_THROUGH * text.len() + WINDOW);
        assert_eq!(unpack(packed).unwrap(), text.as_bytes());
    }

    #[test]
    fn what_was_stored_as_it_is_stays_as_it_is() {
        for text in ["", "{}\n", "\n\n", "{\"external_id\":\"a\"}"] {
            assert_eq!(unpack(text.as_bytes().to_vec()).unwrap(), text.as_bytes());
            assert_eq!(unpack(pack(text.as_bytes())).unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn steps_that_lead_nowhere_are_refused() {
        let packed = |steps: &[u8]| unpack([&[PACKED], steps].concat());
        assert_eq!(packed(&[0, 0, 1, b'x', 1, 0, 0]).unwrap(), b"xx");
        for wrong in [&[1, 0, 0][..], &[0, 1, 0], &[0, 0, 2, b'x'], &[0, 0], &[0xff; 12], &[0, 0, 1, b'x', 2, 0, 0]] {
            assert_eq!(packed(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_packed_is_unpacked_as_it_was(parts in proptest::collection::vec("[a\"{}:,\n\\\\\u{1}]{0,9}", 0..200)) {
            let text = parts.concat();
            prop_assert_eq!(unpack(pack(text.as_bytes())).unwrap(), text.as_bytes());
        }

        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(0..=255_u8, 0..300)) {
            let _ = unpack(bytes.clone());
            prop_assert_eq!(unpack(pack(&bytes)).unwrap(), bytes);
        }
    }
}
