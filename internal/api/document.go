package api

import (
	_ "embed"
	"net/http"
)

// documentPath is where the OpenAPI document is served, to anybody: it says what there is, and nothing of what is in it.
const documentPath = "/openapi.json"

// The document is made from the routes and the types of their bodies and answers by go generate, and lies in a file where
// a change is seen.
//
//go:embed openapi.json
var document []byte

func serveDocument(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", documentType)
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(document)
}

// documentType is the media type of OpenAPI documents.
const documentType = "application/vnd.oai.openapi+json;version=3.1"
