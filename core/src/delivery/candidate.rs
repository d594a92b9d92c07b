//! What a mapping gives for a user here and now: with the accounts to which the record refers, and with the first candidate
//! for its unique values that nobody else has. `core/docs/delivery.md` tells how candidates are tried.

use crate::fault::{Code, Fault};
use crate::id::RequestId;
use crate::intake::LiveApp;
use crate::mapping::{MOST_CANDIDATES, References, RenderInputs, Rendered, UniqueValue, token};
use crate::store::{AccountRow, Mark, RequestRow, Reservation, StoredUser, Tx};
use crate::time::Timestamp;
use crate::value::Attributes;
use std::collections::BTreeSet;

/// How many candidates are compared with the name of an account that was found.
const MOST_FOUND: u32 = 100;

/// Everything that a rendering for one user reads.
pub(crate) struct Rendering<'a> {
    app: &'a LiveApp,
    stored: &'a StoredUser,
    account: Option<&'a AccountRow>,
    references: References,
    now: Timestamp,
}

/// The mapping rendered with one candidate.
pub(crate) struct Candidate {
    pub(crate) rendered: Rendered,
    pub(crate) iteration: u32,
    /// The unique values that the account does not have yet.
    pub(super) wanted: Vec<UniqueValue>,
    /// Those that it keeps.
    held: Vec<UniqueValue>,
}

impl Candidate {
    /// The same for an account that has it already.
    fn keep(self) -> Self {
        Self { held: self.wanted, wanted: Vec::new(), ..self }
    }

    /// The attribute of the first of these values.
    fn name_of(&self, marks: &BTreeSet<Mark>) -> String {
        let mut values = self.wanted.iter().map(|value| value.attribute.as_str());
        let first = marks.first().map(|mark| mark.0.as_str()).unwrap_or_default();
        values.find(|name| name.to_lowercase() == first).unwrap_or(first).to_owned()
    }
}

impl<'a> Rendering<'a> {
    /// Looks up the accounts to which the user's record refers.
    pub(crate) fn new(
        tx: &Tx<'_>,
        app: &'a LiveApp,
        stored: &'a StoredUser,
        account: Option<&'a AccountRow>,
    ) -> Result<Self, Fault> {
        let mut rendering = Self { app, stored, account, references: References::new(), now: tx.now };
        rendering.references = tx.resolve(&app.definition.app.id, rendering.referenced().iter().map(String::as_str))?;
        Ok(rendering)
    }

    /// The accounts to which the record refers.
    pub(crate) fn into_references(self) -> References {
        self.references
    }

    /// What the mapping reads for the candidate of that iteration.
    pub(crate) fn inputs<'t>(&'t self, iteration: u32, token: &'t str) -> RenderInputs<'t> {
        let definition = &self.app.definition;
        RenderInputs {
            user: &self.stored.user.record,
            current: self.account.map(|row| &row.account.attributes),
            last: self.account.and_then(|row| row.applied.as_ref()),
            app_id: definition.app.id.as_str(),
            app_label: definition.app.display_label(),
            iteration,
            token,
            references: Some(&self.references),
            now: self.now,
            creating: self.account.is_none(),
        }
    }

    /// The first candidate that nobody else in the app has reserved, for `request` or for nobody in particular. An account
    /// keeps what it has as long as it is a candidate of its own iteration.
    pub(crate) fn candidate(
        &self,
        tx: &Tx<'_>,
        request: Option<&RequestId>,
    ) -> Result<Result<Candidate, Vec<Fault>>, Fault> {
        if !self.app.definition.mapping.has_unique() {
            return Ok(self.render(0));
        }
        let own = tx.reservations(&self.app.definition.app.id, &self.stored.user.id)?;
        if self.account.is_some() {
            let held = own.iter().filter(|one| one.request.is_none()).map(|one| one.iteration).max().unwrap_or(0);
            match self.render(held) {
                Ok(kept) if self.has(&kept.wanted) => return Ok(Ok(kept.keep())),
                Ok(_) => {}
                Err(faults) => return Ok(Err(faults)),
            }
            if let Some(kept) = self.found_with() {
                return Ok(Ok(kept.keep()));
            }
        }
        let mine = own
            .into_iter()
            .filter(|one| request.is_none_or(|request| one.request.as_deref() == Some(request.as_str())));
        self.first_free(tx, mine.collect())
    }

    /// The candidate that an account had already when it was found: nobody is renamed because we came to know of them.
    fn found_with(&self) -> Option<Candidate> {
        self.account.filter(|row| row.applied.is_none())?;
        let mut last = Vec::new();
        for iteration in 0..MOST_FOUND {
            let candidate = self.render(iteration).ok()?;
            if self.has(&candidate.wanted) {
                return Some(candidate);
            }
            if candidate.wanted == last {
                return None;
            }
            last = candidate.wanted;
        }
        None
    }

    /// Goes on at the candidate where the request is; from the first where the record changed and gives others.
    fn first_free(&self, tx: &Tx<'_>, mine: Vec<Reservation>) -> Result<Result<Candidate, Vec<Fault>>, Fault> {
        let mut start = mine.iter().map(|one| one.iteration).max().unwrap_or(0);
        let refused: BTreeSet<Mark> = mine.iter().filter(|one| one.refused).map(|one| one.mark.clone()).collect();
        if let Ok(candidate) = self.render(start) {
            let marks = self.marks(tx, &candidate.wanted)?;
            if !mine.iter().any(|one| one.iteration == start && marks.contains(&one.mark)) {
                start = 0;
            }
        }
        let (mut taken, mut attribute) = (BTreeSet::new(), String::new());
        for iteration in start..MOST_CANDIDATES {
            let candidate = match self.render(iteration) {
                Ok(candidate) => candidate,
                Err(faults) => return Ok(Err(faults)),
            };
            let marks = self.marks(tx, &candidate.wanted)?;
            if !taken.is_empty() && taken.is_subset(&marks) {
                let attribute = candidate.name_of(&taken);
                let message = format!("the value of `{attribute}` is taken, and its rule gives no other");
                return Ok(Err(vec![Fault::new(Code::UniqueTaken, message).at(attribute)]));
            }
            taken = match !refused.is_empty() && refused.is_subset(&marks) {
                true => refused.clone(),
                false => self.reserved(tx, marks)?,
            };
            if taken.is_empty() {
                return Ok(Ok(candidate));
            }
            attribute = candidate.name_of(&taken);
        }
        let message = format!("{MOST_CANDIDATES} candidates for `{attribute}` are taken");
        Ok(Err(vec![Fault::new(Code::UniqueExhausted, message).at(attribute)]))
    }

    /// What the first candidate holds.
    pub(super) fn first(&self) -> Option<Attributes> {
        self.render(0).ok().map(|candidate| candidate.rendered.attributes)
    }

    fn render(&self, iteration: u32) -> Result<Candidate, Vec<Fault>> {
        let mapping = &self.app.definition.mapping;
        let rendered = mapping.render(&self.inputs(iteration, &token(iteration)))?;
        let wanted = mapping.unique_values(&rendered.attributes);
        Ok(Candidate { rendered, iteration, wanted, held: Vec::new() })
    }

    /// Whether the account has all of these: what was sent last counts, or what it was found with.
    fn has(&self, values: &[UniqueValue]) -> bool {
        let known = self.account.map(|row| row.applied.as_ref().unwrap_or(&row.account.attributes));
        values.iter().all(|value| known.is_some_and(|known| value.is_held_by(known)))
    }

    /// How reservations tell the values apart; nothing where nothing was ever reserved.
    fn marks(&self, tx: &Tx<'_>, values: &[UniqueValue]) -> Result<BTreeSet<Mark>, Fault> {
        let app = &self.app.definition.app.id;
        let marks = values.iter().map(|value| tx.mark(app, &value.attribute, &value.normalized));
        marks.filter_map(Result::transpose).collect()
    }

    /// Which of them another user has.
    fn reserved(&self, tx: &Tx<'_>, marks: BTreeSet<Mark>) -> Result<BTreeSet<Mark>, Fault> {
        let mut reserved = BTreeSet::new();
        for mark in marks {
            if tx.is_reserved_by_other(&self.app.definition.app.id, &self.stored.user.id, &mark)? {
                reserved.insert(mark);
            }
        }
        Ok(reserved)
    }

    /// Notes to whom the record refers.
    pub(crate) fn note_references(&self, tx: &Tx<'_>) -> Result<(), Fault> {
        if !self.app.definition.mapping.has_references() {
            return Ok(());
        }
        let resolved = |user: String| (user.clone(), self.references.get(&user).cloned());
        let references = self.referenced().into_iter().map(resolved).collect();
        tx.put_references(&self.app.definition.app.id, &self.stored.user.id, &references)
    }

    fn referenced(&self) -> BTreeSet<String> {
        self.app.definition.mapping.referenced(&self.inputs(0, ""))
    }
}

/// Reserves a candidate's values for the request; what the account keeps stays the account's. Other values that the request
/// had reserved are let go of, unless an earlier attempt may have brought them to the target.
pub(super) fn reserve(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    stored: &StoredUser,
    row: &RequestRow,
    candidate: &Candidate,
) -> Result<(), Fault> {
    if !app.definition.mapping.has_unique() {
        return Ok(());
    }
    let (id, user, request) = (&app.definition.app.id, &stored.user.id, &row.request.id);
    let wanted = marks(tx, app, &candidate.wanted)?;
    for one in tx.reservations(id, user)? {
        let live = one.request.as_deref() == Some(request.as_str()) && !one.refused;
        if live && !row.unsettled && !wanted.contains(&one.mark) {
            tx.release_mark(id, user, &one.mark)?;
        }
    }
    for mark in marks(tx, app, &candidate.held)? {
        tx.reserve(id, user, None, &mark, candidate.iteration)?;
    }
    wanted.iter().try_for_each(|mark| tx.reserve(id, user, Some(request), mark, candidate.iteration))
}

/// The account has these attributes now: what they hold of unique values is the account's, and what the same attributes held
/// before is free.
pub(crate) fn hold(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    stored: &StoredUser,
    request: &RequestId,
    attributes: &Attributes,
) -> Result<(), Fault> {
    if !app.definition.mapping.has_unique() {
        return Ok(());
    }
    let (id, user) = (&app.definition.app.id, &stored.user.id);
    let marks = marks(tx, app, &app.definition.mapping.unique_values(attributes))?;
    tx.release_finished(id, user)?;
    let own = tx.reservations(id, user)?;
    let of = |request: Option<&str>| {
        let found = own.iter().filter(move |one| one.request.as_deref() == request && !one.refused);
        found.map(|one| one.iteration).max()
    };
    let iteration = of(Some(request.as_str())).or(of(None)).unwrap_or(0);
    for one in own.iter().filter(|one| one.request.is_none() && !marks.contains(&one.mark)) {
        if marks.iter().any(|mark| mark.0 == one.mark.0) {
            tx.release_mark(id, user, &one.mark)?;
        }
    }
    marks.iter().try_for_each(|mark| tx.reserve(id, user, None, mark, iteration))
}

/// Notes that the target has values that a request wanted; none are named where it does not say which. The request's other
/// values are free again. Gives whether there is another candidate to try.
pub(super) fn refuse(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    stored: &StoredUser,
    request: &RequestId,
    taken: &[UniqueValue],
) -> Result<bool, Fault> {
    let (id, user) = (&app.definition.app.id, &stored.user.id);
    let taken = marks(tx, app, taken)?;
    tx.release_refused(request)?;
    let mut any = false;
    for one in tx.reservations(id, user)? {
        if one.request.as_deref() != Some(request.as_str()) || one.refused {
            continue;
        }
        if taken.is_empty() || taken.contains(&one.mark) {
            tx.refuse(request, &one.mark)?;
            any = true;
        } else {
            tx.release_mark(id, user, &one.mark)?;
        }
    }
    Ok(any)
}

fn marks(tx: &mut Tx<'_>, app: &LiveApp, values: &[UniqueValue]) -> Result<BTreeSet<Mark>, Fault> {
    let app = &app.definition.app.id;
    values.iter().map(|value| tx.make_mark(app, &value.attribute, &value.normalized)).collect()
}
