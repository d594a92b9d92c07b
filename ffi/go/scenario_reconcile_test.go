package rollkeeper

import (
	"context"
	"encoding/json"
	"fmt"
)

// reconcileArguments are what any step about reconciliation takes.
type reconcileArguments struct {
	App        string          `json:"app"`
	Account    json.RawMessage `json:"account"`
	ExternalID string          `json:"external_id"`
	Accounts   json.RawMessage `json:"accounts"`
	Complete   bool            `json:"complete"`
	Nth        int             `json:"nth"`
	Request    *int            `json:"request"`
	Digest     string          `json:"digest"`
	Filter     PlanFilter      `json:"filter"`
	Item       uint64          `json:"item"`
	Decision   ReviewDecision  `json:"decision"`
}

// reconcile performs a step that is about reconciliation and needs no plan.
func (p *player) reconcile(verb string, argument json.RawMessage, plain, by string) error {
	var arguments reconcileArguments
	if plain == "" {
		if err := json.Unmarshal(argument, &arguments); err != nil {
			return err
		}
	}
	switch verb {
	case "put_account", "remove_account":
		target, err := p.engine.MockTarget(arguments.App)
		if err != nil {
			return err
		}
		if verb == "put_account" {
			return target.PutAccount(arguments.Account)
		}
		_, err = target.RemoveAccount(arguments.ExternalID)
		return err
	case "reconcile":
		return p.keep(p.engine.Reconcile(context.Background(), plain, by))
	case "stage_accounts":
		return p.keep(p.engine.StageAccounts(arguments.App, arguments.Accounts, arguments.Complete, by))
	case "reconciliations":
		var filter ReconciliationFilter
		if err := json.Unmarshal(argument, &filter); err != nil {
			return err
		}
		for one, err := range p.engine.Reconciliations(filter) {
			if p.keep(one, err) != nil {
				return err
			}
		}
		return nil
	default:
		return p.plan(verb, arguments, by)
	}
}

// plan performs a step about one plan.
func (p *player) plan(verb string, arguments reconcileArguments, by string) error {
	if by == "" {
		by = "operator"
	}
	if arguments.Request != nil {
		requests, err := collect(p.engine.Requests(RequestFilter{}))
		if err != nil || *arguments.Request >= len(requests) {
			return fmt.Errorf("no request %d: %w", *arguments.Request, err)
		}
		return p.keep(p.engine.Undo(requests[*arguments.Request].ID, by))
	}
	all, err := collect(p.engine.Reconciliations(ReconciliationFilter{}))
	if err != nil || arguments.Nth >= len(all) {
		return fmt.Errorf("no reconciliation %d: %w", arguments.Nth, err)
	}
	id, digest := all[arguments.Nth].ID, all[arguments.Nth].Digest
	if arguments.Digest != "" {
		digest = arguments.Digest
	}
	switch verb {
	case "reconciliation":
		return p.keep(p.engine.Reconciliation(id))
	case "plan":
		for item, err := range p.engine.Plan(id, arguments.Filter) {
			if err != nil {
				return err
			}
			p.answers = append(p.answers, string(item.Raw))
		}
		return nil
	case "commit":
		return p.keep(p.engine.Commit(id, digest, by))
	case "release":
		return p.keep(p.engine.Release(id, digest, by))
	case "review":
		return p.keep(p.engine.Review(id, arguments.Item, arguments.Decision, by))
	case "undo":
		return p.keep(p.engine.Undo(id, by))
	default:
		return fmt.Errorf("unknown step `%s`", verb)
	}
}

// keep notes a reconciliation as an answer.
func (p *player) keep(reconciliation Reconciliation, err error) error {
	if err == nil {
		p.answers = append(p.answers, string(reconciliation.Raw))
	}
	return err
}
