// Command serve runs the fake newsroom for belfry plugin dev and belfry plugin test: it prints its address on the first line,
// and ends with whoever started it. Every few seconds something happens there: an article, a correction, a withdrawal. With
// -every 0 it has two articles, and something happens by POST /publish and POST /withdraw alone.
package main

import (
	"flag"
	"fmt"
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
	published := 0
	publish := func() fake.Article {
		published++
		a := article(published)
		newsroom.Publish(a)
		return a
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", newsroom)
	if *every == 0 {
		publish()
		publish()
		mux.HandleFunc("POST /publish", func(http.ResponseWriter, *http.Request) { publish() })
		mux.HandleFunc("POST /withdraw", func(http.ResponseWriter, *http.Request) { newsroom.Withdraw("a1") })
	} else {
		go work(newsroom, publish, *every)
	}
	go func() { log.Fatal(http.Serve(ln, mux)) }()
	fmt.Printf("http://%s\n", ln.Addr())
	for parent := os.Getppid(); os.Getppid() == parent; { // until whoever started it has gone
		time.Sleep(time.Second)
	}
}

func article(number int) fake.Article {
	now, id := time.Now().UTC().Truncate(time.Second), fmt.Sprintf("a%d", number)
	return fake.Article{ID: id, Title: fmt.Sprintf("Article number %d", number), Summary: "What it is about, in a sentence.",
		Text: []string{"The first paragraph.", "The second one, which says more."}, URL: "https://news.example/" + id,
		Tags: []string{"sample"}, Published: now, Changed: now}
}

// work lets things happen in the newsroom. Of every three articles the second is corrected and the third withdrawn.
func work(n *fake.Newsroom, publish func() fake.Article, every time.Duration) {
	for i := 1; ; i++ {
		a := publish()
		time.Sleep(every)
		switch i % 3 {
		case 1:
			continue
		case 2:
			a.Title, a.Changed = a.Title+", corrected", time.Now().UTC().Truncate(time.Second)
			n.Publish(a)
		case 0:
			n.Withdraw(a.ID)
		}
		time.Sleep(every)
	}
}
