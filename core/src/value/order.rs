//! The order in which members come. Records of one source mostly have the same members in the same order; where a name stands
//! as it did in the record before, comparing its bytes says which it is, and nobody has to find out where it ends.

/// How many members are remembered; the others are found as if there were no order.
const MOST: usize = 64;

/// How many words of a name are compared together.
const WORDS: usize = 4;

/// How many members may be left out before the next one is looked up anew.
const LEFT_OUT: usize = 3;

/// The members in the order in which they came, each with what is known of its name.
#[derive(Debug)]
pub(crate) struct Order<N> {
    members: Vec<Member<N>>,
    next: usize,
}

#[derive(Debug)]
struct Member<N> {
    /// The name in quotation marks, with the colon.
    name: Vec<u8>,
    /// Its first bytes, and which bits of them count.
    words: [(u64, u64); WORDS],
    what: N,
}

impl<N: Copy> Order<N> {
    pub(crate) fn new() -> Self {
        Self { members: Vec::new(), next: 0 }
    }

    /// Begins with the first member again.
    pub(crate) fn restart(&mut self) {
        self.next = 0;
    }

    /// What is known of the member whose name begins there, and how long the name is with its colon, where it is one of those
    /// that come next.
    #[inline]
    pub(crate) fn expected(&mut self, text: &[u8]) -> Option<(N, usize)> {
        let ahead = self.members.get(self.next..)?.iter().take(LEFT_OUT);
        let (left_out, member) = ahead.enumerate().find(|(_, member)| member.begins(text))?;
        self.next += left_out + 1;
        Some((member.what, member.name.len()))
    }

    /// Notes a member that was not expected, by its name with quotation marks and colon.
    pub(crate) fn learn(&mut self, name: &[u8], what: N) {
        if let Some(known) = self.members.iter().position(|member| member.name == name) {
            self.next = known + 1;
        } else if self.members.len() < MOST {
            self.members.insert(self.next, Member::new(name, what));
            self.next += 1;
        }
    }
}

impl<N> Member<N> {
    fn new(name: &[u8], what: N) -> Self {
        let mut words = [(0, 0); WORDS];
        for (word, bytes) in words.iter_mut().zip(name.chunks(8)) {
            let number =
                |byte: &dyn Fn(u8) -> u8| bytes.iter().rev().fold(0, |sum, at| sum << 8 | u64::from(byte(*at)));
            *word = (number(&|byte| byte), number(&|_| u8::MAX));
        }
        Self { name: name.to_vec(), words, what }
    }

    /// Whether a text begins with the name.
    #[inline]
    fn begins(&self, text: &[u8]) -> bool {
        let Some(first) = text.first_chunk::<{ WORDS * 8 }>() else { return text.starts_with(&self.name) };
        let (words, _) = first.as_chunks::<8>();
        let differs = words
            .iter()
            .zip(&self.words)
            .fold(0, |differs, (word, (expected, counts))| differs | (u64::from_le_bytes(*word) ^ expected) & counts);
        differs == 0 && (self.name.len() <= WORDS * 8 || text.starts_with(&self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each name is found to be, expected or not.
    fn read(order: &mut Order<usize>, text: &str) -> Vec<(usize, bool)> {
        order.restart();
        let names = text.split_inclusive(':').enumerate();
        let found = names.map(|(at, name)| {
            let start = text.split_inclusive(':').take(at).map(str::len).sum();
            let (_, rest) = text.split_at(start);
            order.expected(rest.as_bytes()).map_or_else(
                || {
                    order.learn(name.as_bytes(), name.len());
                    (name.len(), false)
                },
                |(what, length)| {
                    assert_eq!(rest.split_at(length).0, name);
                    (what, true)
                },
            )
        });
        found.collect()
    }

    #[test]
    fn members_are_expected_in_the_order_in_which_they_came() {
        let mut order = Order::new();
        let long = format!("\"{}\":", "n".repeat(70));
        let longer = format!("\"{}x\":", "n".repeat(69));
        let first = format!("\"id\":\"name\":{long}\"other\":");
        let all = |is_expected| [(5, is_expected), (7, is_expected), (73, is_expected), (8, is_expected)];
        assert_eq!(read(&mut order, &first), all(false));
        assert_eq!(read(&mut order, &first), all(true));
        // Some are left out, one is new, one has the same beginning, and one comes at another place.
        assert_eq!(read(&mut order, "\"id\":\"other\":"), [(5, true), (8, true)]);
        assert_eq!(read(&mut order, "\"id\":\"new\":\"name\":"), [(5, true), (6, false), (7, true)]);
        assert_eq!(read(&mut order, &format!("\"id\":\"name\":{longer}")), [(5, true), (7, true), (73, false)]);
        assert_eq!(read(&mut order, "\"name\":\"id\":"), [(7, true), (5, false)]);
        assert_eq!(read(&mut order, "\"ida\":\"i\":"), [(6, false), (4, false)]);
    }
}
