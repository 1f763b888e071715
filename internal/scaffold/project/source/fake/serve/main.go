// Command serve runs the fake newsroom for belfry plugin dev: it prints its address on the first line, and ends when its
// standard input does. Every few seconds something happens there: an article, a correction, a withdrawal.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/belfry-news/belfry/internal/scaffold/project/source/fake"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "where it is served")
	token := flag.String("token", "dev", "the token that it wants")
	every := flag.Duration("every", 8*time.Second, "how often something happens")
	flag.Parse()
	newsroom := &fake.Newsroom{Token: *token}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.Serve(ln, newsroom)) }()
	go work(newsroom, *every)
	fmt.Printf("http://%s\n", ln.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin) // until whoever started it has gone
}

// work lets things happen in the newsroom. Of every three articles the second is corrected and the third withdrawn.
func work(n *fake.Newsroom, every time.Duration) {
	for i := 1; ; i++ {
		now := time.Now().UTC().Truncate(time.Second)
		id := fmt.Sprintf("a%d", i)
		a := fake.Article{ID: id, Title: fmt.Sprintf("Article number %d", i), Summary: "What it is about, in a sentence.",
			Text: []string{"The first paragraph.", "The second one, which says more."}, URL: "https://news.example/" + id,
			Tags: []string{"sample"}, Published: now, Changed: now}
		n.Publish(a)
		time.Sleep(every)
		switch i % 3 {
		case 1:
			continue
		case 2:
			a.Title, a.Changed = a.Title+", corrected", time.Now().UTC().Truncate(time.Second)
			n.Publish(a)
		case 0:
			n.Withdraw(id)
		}
		time.Sleep(every)
	}
}
