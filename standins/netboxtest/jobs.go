package netboxtest

import (
	"fmt"
	"net/http"
)

// background queues a bulk write and answers 202. The job is carried out at once; its page tells the outcome.
func (t *txn) background(m *model, list []any) *reply {
	if !t.s.config.JobWorkers {
		return detail(http.StatusServiceUnavailable, "Unable to process background request: RQ worker process not running.")
	}
	out := t.writeList(m, list)
	status := "completed"
	if out.status >= 300 {
		status, t.over, t.events = "failed", map[string]map[int64]*row{}, nil
	}
	id := len(t.s.jobs) + 1
	url := fmt.Sprintf("%s/api/core/jobs/%d/", t.base(), id)
	t.s.jobs = append(t.s.jobs, map[string]any{"id": id, "url": url, "status": map[string]any{"value": status, "label": status},
		"data": map[string]any{"status_code": out.status, "data": out.body}})
	return answer(http.StatusAccepted, map[string]any{"job": map[string]any{"id": id, "url": url,
		"status": map[string]any{"value": "pending", "label": "Pending"}}}).set("Location", url)
}

func (s *Server) job(id string) *reply {
	for _, j := range s.jobs {
		if fmt.Sprint(j["id"]) == id {
			return answer(http.StatusOK, j)
		}
	}
	return detail(http.StatusNotFound, "No Job matches the given query.")
}

// RunJobs lets an RQ worker finish what FieldJobs kept waiting: new custom fields become active.
func (s *Server) RunJobs() {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx := s.operator()
	for _, r := range tx.all(customFieldsPath) {
		if r.str("status") == "active" {
			continue
		}
		d := r.clone()
		d.cols["status"] = "active"
		tx.put(customFieldsPath, d)
		backfillCustomField(tx, d, nil)
	}
	tx.commit()
}
