package desk

import "context"

// Alert is trouble that lasts, and what mends it.
type Alert struct {
	ID       int64  `json:"id"`
	Code     string `json:"code"`
	Subject  string `json:"subject"`
	Sentence string `json:"sentence"`
	Mend     string `json:"mend"`
	First    Stamp  `json:"first"`
	Last     Stamp  `json:"last"`
	Count    int    `json:"count"`
}

// Alerts lists the trouble that lasts, the oldest first.
func (d *Desk) Alerts(ctx context.Context) ([]Alert, error) {
	rows, err := d.Store.Alerts(ctx)
	list := []Alert{}
	for _, r := range rows {
		list = append(list, Alert{r.ID, string(r.Code), r.Subject, r.Sentence, r.Mend, Stamp{r.First}, Stamp{r.Last}, r.Count})
	}
	return list, err
}
