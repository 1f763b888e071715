package feedxml
import ("testing";"context";"strings";"time")
func TestQ(t *testing.T){
 pre:="<rss><channel><item><title>"
 for _,p:=range []string{"<","<a","<a ","<a b","<a b=","<a b='","&","&#","&#1","<!","<!-","<!--","<![CDATA[","<?","</","</a","</a>","<item>","<title>","<description>","<p>","<li>","a=","xmlns:a='b' ","<a/>","]]>","\xc2\x92","&lt;","<link>","<a></a>","<description><p>","<item/>","<media:group/>", "<b></c>", "<a xml:base='x'/>", "<a xmlns='x'/>"} {
  for _,q:=range []string{"",pre,"<rss><channel><item><description>","<feed><entry><content type='xhtml'>","<rss><channel><item "} {
   doc:=q+strings.Repeat(p,(10<<20)/len(p))
   n:=time.Now(); _,err:=Scan(context.Background(),[]byte(doc),Options{Keep:1000}); if d:=time.Since(n); d>400*time.Millisecond { t.Logf("%q %q %s %v",q,p,d,err) }
  }}
}
