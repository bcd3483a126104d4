package web

import (
	"io"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
)

// maxDelivery is what GitHub and GitLab send at most: 25 MB.
const maxDelivery = 25 << 20

// webhook proves a delivery over its raw body, stores it and answers 202. Nothing
// of it is acted on before it is durable.
func (s *server) webhook(w http.ResponseWriter, r *http.Request) error {
	id := gate.ForgeID(chi.URLParam(r, "forge"))
	hook, ok := s.Hooks[id]
	if !ok || string(hook.Kind) != chi.URLParam(r, "kind") {
		return &gate.Error{
			Kind: gate.NotFound, Code: gate.CodeForgeUnknown, Text: "no forge of this name is configured",
			Expected: "/webhooks/<github or gitlab>/<configured name>", Got: r.URL.Path, Fix: "see forges in the server's configuration",
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDelivery))
	if err != nil {
		return unreadBody(err, gate.CodeDeliveryTooLarge, maxDelivery)
	}
	d, err := hook.Prove(r, body)
	if err != nil {
		return err
	}
	fresh, err := s.Shelf.Accept(r.Context(), d)
	if err != nil {
		return err
	}
	s.Log.InfoContext(r.Context(), "delivery accepted", "forge", string(id), "event", d.Event, "delivery", d.ID, "fresh", fresh)
	w.WriteHeader(http.StatusAccepted)
	return nil
}
