package render
import ("testing";"os/exec";"strings";"math/rand/v2";"time";"github.com/belfry-news/belfry/sdk")
var alpha=[]string{"*","_","~","`","[","]","(",")","<",">","#","+","-","=","|","{","}",".","!","&","\\"," "," ","\n","1",":","a","b","é","🔥","\u00a0","e\u0301","\"","'","/","&amp;","http://x.y","\t","“","€","\u200d","1. ","amp;","#9","word ","word. "}
func TestCmark(t *testing.T){
 rng:=rand.New(rand.NewPCG(uint64(time.Now().UnixNano()),7))
 end:=time.Now().Add(100*time.Second); n:=0; bad:=0
 for time.Now().Before(end) && bad<6 {
  n++
  words:=make([]string,20)
  for i:=range words{ var b strings.Builder; for k:=rng.IntN(8)+1;k>0;k--{b.WriteString(alpha[rng.IntN(len(alpha))])}; words[i]=b.String()}
  if rng.IntN(2)==0 {words=append(words,naughty...)}
  // several bodies in one run, divided by a marker heading
  var all sdk.Body
  for range 40 {
   shape:=make([]byte,rng.IntN(60)+3)
   for i:=range shape{shape[i]=byte(rng.Uint32())}
   m:=maker{shape:shape,words:words}
   all=append(all,m.blocks(0)...)
  }
  want:=Normalize(all)
  if len(want)==0 {continue}
  for i:=range want { one:=Normalize(sdk.Body{want[i]})
   _ = one }
  cmd:=exec.Command("cmark-gfm","-e","strikethrough","-e","table","-e","tasklist","-e","footnotes","--unsafe")
  cmd.Stdin=strings.NewReader(Render(want,CommonMark))
  out,err:=cmd.Output(); if err!=nil{t.Fatal(err)}
  got:=FromHTML(strings.NewReplacer("%5B","[","%5D","]").Replace(string(out)),nil).Body
  if len(got)!=len(want){ t.Errorf("%d blocks, want %d",len(got),len(want)) }
  for i:=range min(len(got),len(want)) { w,g:=Render(want[i:i+1],HTML),Render(got[i:i+1],HTML); if w!=g { bad++; t.Errorf("want %s\ngot  %s\nmd   %s",w,g,Render(want[i:i+1],CommonMark)); if bad>4 {break} } }
 }
 t.Log(n)
}
