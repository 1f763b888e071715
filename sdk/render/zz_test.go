package render
import ("testing";"math/rand/v2";"time";"strings")
var alpha=[]string{"*","_","~","`","[","]","(",")","<",">","#","+","-","=","|","{","}",".","!","&","\\"," "," ","\n","1",":","a","b","é","🔥","\u00a0","e\u0301","\"","'","/","&amp;","http://x.y","\t","“","€","\u200d","1. ","amp;","#9","word ","word. ","Word","👨‍👩‍👧‍👦","🇫🇷"}
func stress(t *testing.T, f func(b []byte, words []string, x uint32)){
 rng:=rand.New(rand.NewPCG(uint64(time.Now().UnixNano()),7))
 end:=time.Now().Add(40*time.Second)
 n:=0
 for time.Now().Before(end){
  n++
  words:=make([]string,20)
  for i:=range words{ var b strings.Builder; for k:=rng.IntN(8)+1;k>0;k--{b.WriteString(alpha[rng.IntN(len(alpha))])}; words[i]=b.String()}
  if rng.IntN(2)==0 {words=append(words,naughty...)}
  shape:=make([]byte,rng.IntN(100)+3)
  for i:=range shape{shape[i]=byte(rng.Uint32())}
  f(shape,words,rng.Uint32())
 }
 t.Log(n)
}
func TestStress(t *testing.T){
 stress(t,func(b []byte,w []string,x uint32){m:=maker{shape:b,words:w}; checkRoundTrip(t,m.blocks(0))})
}
func TestStressCut(t *testing.T){
 stress(t,func(b []byte,w []string,x uint32){m:=maker{shape:b,words:w}; bd:=m.blocks(0); checkCut(t,bd,makeBound(x))})
}
func TestStressSplit(t *testing.T){
 stress(t,func(b []byte,w []string,x uint32){m:=maker{shape:b,words:w}; bd:=m.blocks(0); checkSplit(t,bd,makeBound(x))})
}
