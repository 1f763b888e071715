package render
import ("testing";"math/rand/v2";"time";"strings")
func TestStress(t *testing.T){
 rng:=rand.New(rand.NewPCG(uint64(time.Now().UnixNano()),7))
 alpha:=[]string{"*","_","~","`","[","]","(",")","<",">","#","+","-","=","|","{","}",".","!","&","\\"," "," ","\n","1",":","a","b","é","🔥","\u00a0","e\u0301","\"","'","/","&amp;","http://x.y","\t","“","€","\u200d","1. ","amp;","#9"}
 end:=time.Now().Add(60*time.Second)
 n:=0
 for time.Now().Before(end){
  n++
  words:=make([]string,20)
  for i:=range words{ var b strings.Builder; for k:=rng.IntN(8)+1;k>0;k--{b.WriteString(alpha[rng.IntN(len(alpha))])}; words[i]=b.String()}
  shape:=make([]byte,rng.IntN(60)+3)
  for i:=range shape{shape[i]=byte(rng.Uint32())}
  m:=maker{shape:shape,words:words}
  checkRoundTrip(t,m.blocks(0))
 }
 t.Log(n)
}
