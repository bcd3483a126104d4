package web

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
)

// storeWithin is how long storing a delivery may take. Forges wait about ten seconds
// for the answer.
const storeWithin = 8 * time.Second

// deliveryRule: 25 MB is what GitHub and GitLab send at most.
func deliveryRule() bodyRule {
	return bodyRule{limit: 25 << 20, tooLarge: gate.CodeDeliveryTooLarge, broken: gate.CodeDeliveryMalformed}
}

// webhook proves a delivery over its raw body, stores it and answers 202. Nothing
// of it is acted on before it is durable; what could not be stored is answered with
// 503, so that the forge shows it as failed and delivers it again.
func (s *server) webhook(w http.ResponseWriter, r *http.Request) error {
	id := gate.ForgeID(chi.URLParam(r, "forge"))
	hook, ok := s.Hooks[id]
	if !ok || string(hook.Kind) != chi.URLParam(r, "kind") {
		return &gate.Error{
			Kind: gate.NotFound, Code: gate.CodeForgeUnknown, Text: "no forge of this name is configured",
			Expected: "/webhooks/<github or gitlab>/<configured name>", Got: quoted(r.URL.Path),
			Fix: "compare with /v1/forges",
		}
	}
	body, err := deliveryRule().read(w, r)
	if err != nil {
		return err
	}
	d, err := hook.Prove(r, body)
	if err != nil {
		return err
	}
	fresh, err := s.accept(r.Context(), d)
	if err != nil {
		return err
	}
	s.Log.InfoContext(r.Context(), "delivery accepted", "forge", string(id), "event", d.Event, "delivery", d.ID, "fresh", fresh)
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// accept stores a proved delivery even if its sender hangs up meanwhile: it would only
// have to come again.
func (s *server) accept(ctx context.Context, d gate.Delivery) (bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWithin)
	defer cancel()
	fresh, err := s.Shelf.Accept(ctx, d)
	if err != nil && gate.KindOf(err) == gate.Internal {
		err = &gate.Error{
			Kind: gate.Unavailable, Code: gate.CodeStoreUnavailable, Text: "the delivery could not be stored",
			Fix: "deliver it again", Err: err,
		}
	}
	return fresh, err
}
