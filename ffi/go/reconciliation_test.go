package rollkeeper

import (
	"context"
	"errors"
	"strconv"
	"testing"
)

// endless is a target whose listing never ends by itself.
type endless struct {
	UnsupportedConnector
	pages   int
	onPages func(pages int)
}

const manyPages = 200

func (e *endless) List(string, string) (Page, error) {
	e.pages++
	if e.onPages != nil {
		e.onPages(e.pages)
	}
	page := Page{Accounts: []TargetAccount{{ExternalID: strconv.Itoa(e.pages), Active: true}}}
	if e.pages < manyPages {
		page.Next = strconv.Itoa(e.pages)
	}
	return page, nil
}

func reconciled(t *testing.T, target *endless) *Engine {
	engine := open(t, "", Options{})
	must(t, engine.RegisterConnector("tickets", target))
	_, err := engine.PutApp(ticketApp, "")
	must(t, err)
	return engine
}

func TestAReconciliationEndsWithItsContextAndTheNextCallGoesOn(t *testing.T) {
	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	target := &endless{onPages: func(pages int) {
		if pages == 3 {
			cancel(reason)
		}
	}}
	engine := reconciled(t, target)
	if _, err := engine.Reconcile(ctx, "tickets", "anna"); !errors.Is(err, reason) {
		t.Fatalf("%v", err)
	}
	if target.pages > 4 {
		t.Errorf("%d pages were read after the context ended", target.pages-3)
	}
	if _, err := engine.Reconcile(ctx, "tickets", "anna"); !errors.Is(err, reason) || target.pages > 4 {
		t.Errorf("it went on though its context was done: %v", err)
	}
	begun, err := collect(engine.Reconciliations(ReconciliationFilter{}))
	must(t, err)
	done, err := engine.Reconcile(context.Background(), "tickets", "anna")
	must(t, err)
	if len(begun) != 1 || done.ID != begun[0].ID || done.Collected != manyPages || target.pages != manyPages {
		t.Errorf("it did not go on: %d pages, %s", target.pages, done.Raw)
	}
}

func TestWhoWatchesAReconciliationIsToldOfEachPageAndMayStopIt(t *testing.T) {
	target := new(endless)
	engine := reconciled(t, target)
	var pages []int
	stopped, err := engine.ReconcileWatched(context.Background(), "tickets", "", func(now Reconciliation) bool {
		if _, err := engine.App("tickets"); !errors.Is(err, ErrReentrantCall) {
			t.Errorf("who watches entered the engine: %v", err)
		}
		pages = append(pages, now.Pages)
		return now.Pages < 3
	})
	must(t, err)
	if stopped.State != "Collecting" || stopped.Pages != 3 || len(pages) < 3 || pages[len(pages)-1] != 3 {
		t.Errorf("%v %s", pages, stopped.Raw)
	}
	defer func() {
		if value := recover(); value != "enough" {
			t.Errorf("recovered %v", value)
		}
	}()
	_, err = engine.ReconcileWatched(context.Background(), "tickets", "", func(Reconciliation) bool { panic("enough") })
	t.Errorf("it returned: %v", err)
}
