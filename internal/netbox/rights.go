package netbox

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Rights tells without writing anything whether the token may add to a list
// and change its objects: NetBox's answer to OPTIONS describes POST and PUT to
// those who may.
func (c *Client) Rights(ctx context.Context, t Table) (add, change bool, err error) {
	actions, err := c.mayWrite(ctx, t)
	_, add = actions[http.MethodPost]
	_, change = actions[http.MethodPut]
	return add, change, err
}

// MayDelete tells without deleting anything whether the token may delete from a
// list: object 0 never exists, which is told those who may (404), while others
// are refused (403).
func (c *Client) MayDelete(ctx context.Context, t Table) (bool, error) {
	_, err := c.once(ctx, http.MethodDelete, t, "0/", nil, nil, nil)
	if KindOf(err) == NotFound {
		return true, nil
	}
	return false, err
}

// TokenExpiry tells when the token ends, where it may see itself and ends at
// all. Only tokens of the second generation have a part that may be named in a
// query.
func (c *Client) TokenExpiry(ctx context.Context) (expires time.Time, ok bool) {
	authorization, err := c.authorization()
	key, secret, ok := strings.Cut(strings.TrimPrefix(authorization, "Bearer nbt_"), ".")
	if err != nil || !ok || secret == "" {
		return time.Time{}, false
	}
	page, err := c.page(ctx, tokens, url.Values{"key": {key}, "fields": {"id,key,expires"}, "limit": {"1"}})
	if err != nil || len(page.Results) == 0 {
		return time.Time{}, false // most tokens may not look at tokens
	}
	var token struct {
		Key     string `json:"key"`
		Expires Moment `json:"expires"`
	}
	if json.Unmarshal(page.Results[0], &token) != nil || token.Key != key {
		return time.Time{}, false
	}
	return token.Expires.Time, !token.Expires.IsZero()
}

// mayWrite gives the methods that NetBox describes to the token, with what it
// says of each.
func (c *Client) mayWrite(ctx context.Context, t Table) (map[string]json.RawMessage, error) {
	got, err := c.read(ctx, http.MethodOptions, t, "", nil)
	if err != nil {
		return nil, err
	}
	options := struct {
		Actions map[string]json.RawMessage `json:"actions"`
	}{Actions: make(map[string]json.RawMessage)}
	if err := json.Unmarshal(got.body, &options); err != nil {
		return nil, notNetBox(got, http.MethodOptions, t)
	}
	return options.Actions, nil
}

// Choices lists the values that a field of a list may have. NetBox tells them
// only to tokens that may add to the list; nil for others.
func (c *Client) Choices(ctx context.Context, t Table, field string) ([]string, error) {
	actions, err := c.mayWrite(ctx, t)
	if KindOf(err) == Forbidden {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	var described struct {
		Choices []struct {
			Value string `json:"value"`
		} `json:"choices"`
	}
	post, ok := actions[http.MethodPost]
	if !ok {
		return nil, nil
	}
	err = json.Unmarshal(post, &fields)
	if err == nil && fields[field] != nil {
		err = json.Unmarshal(fields[field], &described)
	}
	if err != nil {
		return nil, &Error{Kind: NotNetBox, Op: operation(http.MethodOptions, t), Err: err}
	}
	var list []string
	for _, choice := range described.Choices {
		list = append(list, choice.Value)
	}
	return list, nil
}

// Plugins lists the installed plugins as the status page names them, which
// unlike the list of plugins is shown to every token.
func (c *Client) Plugins(ctx context.Context) ([]string, error) {
	got, err := c.get(ctx, status, "", nil)
	if err != nil {
		return nil, err
	}
	var page struct {
		Plugins map[string]json.RawMessage `json:"plugins"`
	}
	if err := json.Unmarshal(got.body, &page); err != nil {
		return nil, notNetBox(got, http.MethodGet, status)
	}
	list := make([]string, 0, len(page.Plugins))
	for name := range page.Plugins {
		list = append(list, name)
	}
	slices.Sort(list)
	return list, nil
}
