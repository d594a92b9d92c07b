//! Which reactions a situation allows, which it has by default, and which one follows a finding.

use crate::model::{Reaction, ReconcileSettings, Situation, SnapshotVerdict};

/// The reaction to a situation where the app's definition says nothing about it.
pub fn default_reaction(situation: Situation) -> Reaction {
    use Situation::*;
    match situation {
        Ignored | Confirmed | Unseen | OutOfScope | MembershipConfirmed | MembershipUnseen => Reaction::None,
        Found => Reaction::Link,
        // What we gave is wanted on: somebody else took it away.
        MembershipMissing => Reaction::Update,
        Protected
        | SourceGone
        | Unqualified
        | Drifted
        | Orphaned
        | Taken
        | Ambiguous
        | Missing
        | Absent
        | MembershipAbsent
        | MembershipUnqualified
        | MembershipUnmanaged => Reaction::Report,
    }
}

/// The reaction that an app's settings have for a situation.
pub fn reaction_to(settings: &ReconcileSettings, situation: Situation) -> Reaction {
    settings.reactions.get(&situation).copied().unwrap_or_else(|| default_reaction(situation))
}

/// The reactions that a situation allows.
///
/// ```
/// use rollkeeper::model::{Reaction, Situation};
/// use rollkeeper::planning::reaction::allowed_reactions;
/// assert!(allowed_reactions(Situation::Orphaned).contains(&Reaction::Delete));
/// assert!(!allowed_reactions(Situation::Protected).contains(&Reaction::Delete));
/// ```
pub fn allowed_reactions(situation: Situation) -> &'static [Reaction] {
    use Reaction::*;
    match situation {
        Situation::Protected
        | Situation::Ignored
        | Situation::Confirmed
        | Situation::Unseen
        | Situation::OutOfScope
        | Situation::MembershipConfirmed
        | Situation::MembershipUnseen => &[None, Report],
        Situation::MembershipMissing | Situation::MembershipAbsent => &[None, Report, Update, Review],
        Situation::MembershipUnqualified | Situation::MembershipUnmanaged => &[None, Report, Remove, Review],
        Situation::SourceGone | Situation::Unqualified => &[None, Report, Deactivate, Delete, Unlink, Ignore, Review],
        Situation::Drifted => &[None, Report, Update, Unlink, Ignore, Review],
        Situation::Orphaned | Situation::Taken => &[None, Report, Deactivate, Delete, Ignore, Review],
        Situation::Ambiguous => &[None, Report, Ignore, Review],
        Situation::Found => &[None, Report, Link, Update, Ignore, Review],
        Situation::Missing => &[None, Report, Create, Unlink, Review],
        Situation::Absent => &[None, Report, Create, Review],
    }
}

/// What decides, beside the app's settings, whether a reaction may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// Whether the listing may be concluded from.
    pub verdict: SnapshotVerdict,
    /// Whether a person manages the account's link.
    pub known_link: bool,
    /// Whether the account is linked at all; an account without an owner has no link to take away.
    pub linked: bool,
    /// Whether nothing can be concluded of the wanted state.
    pub faulty: bool,
    /// Whether a person or the directory said explicitly that this user leaves.
    pub explicit: bool,
}

/// What follows a finding, and why where it is not what the settings say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// What is done.
    pub reaction: Reaction,
    /// Why what the settings say is not done.
    pub why: Option<&'static str>,
}

/// The reaction to a finding: what the settings say, or `report` with a why where that may not be done.
pub fn decide_reaction(settings: &ReconcileSettings, situation: Situation, around: Circumstances) -> Decided {
    let chosen = reaction_to(settings, situation);
    match suppressed(situation, chosen, around) {
        // A fault is told even where nothing else would be.
        Some(why) => Decided { reaction: Reaction::Report, why: Some(why) },
        None => Decided { reaction: chosen, why: None },
    }
}

/// Why a reaction may not follow a situation; none where it may. A person's decision is bound by the same rules.
pub fn suppressed(situation: Situation, reaction: Reaction, around: Circumstances) -> Option<&'static str> {
    use Reaction::{Create, Ignore, Link, Report, Review, Unlink, Update};
    if !allowed_reactions(situation).contains(&reaction) && !is_choice(situation, reaction) {
        return Some("the situation does not allow this reaction");
    }
    if around.faulty && !matches!(reaction, Report | Review) {
        return Some("the record has faults, so that nothing can be concluded of what is wanted");
    }
    let moves_link = match reaction {
        Link | Unlink | Ignore | Create => true,
        Update => situation == Situation::Found,
        _ => false,
    };
    if around.known_link && moves_link {
        return Some("a person manages the link");
    }
    if reaction == Unlink && !around.linked {
        return Some("the account is not linked");
    }
    if around.verdict == SnapshotVerdict::Incomplete {
        let concludes = matches!(reaction, Link | Create) || (reaction == Update && situation == Situation::Found);
        if concludes {
            return Some("the listing is incomplete: nothing is linked or made");
        }
        if reaction.is_destructive() && !around.explicit {
            return Some("the listing is incomplete: nothing is taken away");
        }
    }
    None
}

/// Whether a person may link this account with one of the users who come into question.
pub fn is_choice(situation: Situation, reaction: Reaction) -> bool {
    reaction == Reaction::Link && matches!(situation, Situation::Ambiguous | Situation::Taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AROUND: Circumstances = Circumstances {
        verdict: SnapshotVerdict::Complete,
        known_link: false,
        linked: true,
        faulty: false,
        explicit: false,
    };

    fn set(situation: Situation, reaction: Reaction) -> ReconcileSettings {
        ReconcileSettings { reactions: [(situation, reaction)].into(), ..ReconcileSettings::default() }
    }

    fn decided(situation: Situation, reaction: Reaction, around: Circumstances) -> Reaction {
        decide_reaction(&set(situation, reaction), situation, around).reaction
    }

    /// Line by line with the table that every language reads.
    #[test]
    fn defaults_and_allowed_reactions_are_those_of_the_table() {
        let table = include_str!("../../../tests/data/situations.csv");
        let mut told = Vec::new();
        for line in table.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            let [name, _side, default, reactions, destructive, ..] = cells.as_slice() else { panic!("{line}") };
            let situation = Situation::from_name(name).expect(name);
            told.push(situation);
            assert_eq!(default_reaction(situation).name(), *default, "{name}");
            let names: Vec<&str> = allowed_reactions(situation).iter().map(|one| one.name()).collect();
            assert_eq!(names.join(" "), *reactions, "{name}");
            let taking = allowed_reactions(situation).iter().filter(|one| one.is_destructive());
            assert_eq!(taking.map(|one| one.name()).collect::<Vec<_>>().join(" "), *destructive, "{name}");
            assert!(!default_reaction(situation).is_destructive(), "{name}: what takes away must be chosen");
        }
        assert_eq!(told, Situation::ALL);
    }

    #[test]
    fn what_the_settings_say_is_done_where_nothing_speaks_against_it() {
        for situation in Situation::ALL {
            for reaction in allowed_reactions(*situation) {
                assert_eq!(decided(*situation, *reaction, AROUND), *reaction, "{situation:?} {reaction:?}");
            }
        }
    }

    #[test]
    fn a_reaction_that_the_situation_does_not_allow_is_only_told() {
        let found = decide_reaction(&set(Situation::Protected, Reaction::Delete), Situation::Protected, AROUND);
        assert_eq!(found.reaction, Reaction::Report);
        assert!(found.why.is_some());
    }

    #[test]
    fn a_faulty_record_is_told_and_nothing_follows() {
        let faulty = Circumstances { faulty: true, explicit: true, ..AROUND };
        for situation in Situation::ALL {
            for reaction in allowed_reactions(*situation) {
                let expected = if *reaction == Reaction::Review { Reaction::Review } else { Reaction::Report };
                assert_eq!(decided(*situation, *reaction, faulty), expected, "{situation:?} {reaction:?}");
            }
        }
    }

    #[test]
    fn a_link_that_a_person_manages_stays() {
        let known = Circumstances { known_link: true, ..AROUND };
        assert_eq!(decided(Situation::SourceGone, Reaction::Unlink, known), Reaction::Report);
        assert_eq!(decided(Situation::Unqualified, Reaction::Ignore, known), Reaction::Report);
        assert_eq!(decided(Situation::Missing, Reaction::Create, known), Reaction::Report);
        assert_eq!(decided(Situation::Drifted, Reaction::Update, known), Reaction::Update);
        assert_eq!(decided(Situation::Unqualified, Reaction::Deactivate, known), Reaction::Deactivate);
    }

    #[test]
    fn an_incomplete_listing_links_makes_and_takes_nothing() {
        let incomplete = Circumstances { verdict: SnapshotVerdict::Incomplete, ..AROUND };
        for situation in Situation::ALL {
            for reaction in allowed_reactions(*situation) {
                let found = decided(*situation, *reaction, incomplete);
                let concludes = reaction.is_destructive()
                    || matches!(reaction, Reaction::Link | Reaction::Create)
                    || (*situation, *reaction) == (Situation::Found, Reaction::Update);
                let expected = if concludes { Reaction::Report } else { *reaction };
                assert_eq!(found, expected, "{situation:?} {reaction:?}");
            }
        }
        let explicit = Circumstances { explicit: true, ..incomplete };
        assert_eq!(decided(Situation::Unqualified, Reaction::Deactivate, explicit), Reaction::Deactivate);
        assert_eq!(decided(Situation::Found, Reaction::Link, explicit), Reaction::Report);
    }

    #[test]
    fn an_account_without_an_owner_has_no_link_to_take_away() {
        let unlinked = Circumstances { linked: false, ..AROUND };
        assert_eq!(decided(Situation::Unqualified, Reaction::Unlink, unlinked), Reaction::Report);
        assert_eq!(decided(Situation::Unqualified, Reaction::Deactivate, unlinked), Reaction::Deactivate);
    }
}
