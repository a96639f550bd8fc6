// Guard, compares, kills, write back, targets.

== a guard that holds lets the word run, one that fails sends it to t2 without effect
# packet 00 *20
# packet 00 *19
guard 0+20; i0=7; st pkt[0+0] s0=i0:1@0; r4=i0; t2=@1 next=tx
ra=r4; i0=9; a1=add.64 ra,i0; st pkt[0+1] s0=a1:1@0; next=pass
--
0: tx; 1 words, 1 slots; dispatch +1, exit +41, departure +2
   07(19)
1: pass; 2 words, 2 slots; dispatch +1, exit +57, departure +2
   0009(17)

== a guard's base is signed
# packet 00 *20
ra=-1; guard ra+21; t2=drop next=@1
ra=-1; guard ra+22; t2=pass next=drop
--
0: pass; 2 words, 2 slots; dispatch +1, exit +57, departure +1

== a failing guard kills faults, requests and exits
# map counts array 4 8 1
# packet 00 *20
ra=-1; guard 0+21; ld stack[ra+0] x0=8@0; st stack[ra+0] s0=x0:8@0; q.update.any map=9 key=pkt[ra+0] val=pkt:ra dst=r0; t2=pass next=drop
--
0: pass; 1 words, 1 slots; dispatch +1, exit +41, departure +1

== compare1 wins over compare2; a taken compare does not kill the write back
# packet 01 *20
# packet 02 *20
# packet 03 *20
ld pkt[0+0] x0=1@0; c1=eq.32 x0,i0; i0=1; c2=geu.32 x0,i1; i1=3; r1=x0; t1=@1 t2=@2 next=@3
ra=r1; st pkt[0+4] s0=ra:1@0; next=drop
ra=r1; st pkt[0+5] s0=ra:1@0; next=pass
ra=r1; st pkt[0+6] s0=ra:1@0; next=tx
--
0: drop; 2 words, 2 slots; dispatch +1, exit +57, departure +1
   0100000001(15)
1: tx; 2 words, 2 slots; dispatch +1, exit +57, departure +2
   02000000000002(13)
2: pass; 2 words, 2 slots; dispatch +1, exit +57, departure +2
   030000000003(14)

== stores are killed by the compares that they name
# packet 01 *20
# packet 02 *20
# packet 03 *20
ld pkt[0+0] x0=1@0; c1=eq.32 x0,i0; i0=1; c2=eq.32 x0,i1; i1=2; st pkt[0+8] s0=x0:1@0 kill1; t1=@1 t2=@1 next=@1
ld pkt[0+0] x0=1@0; c1=eq.32 x0,i0; i0=1; c2=eq.32 x0,i1; i1=2; st pkt[0+9] s0=x0:1@0 kill2; t1=@2 t2=@2 next=@2
ld pkt[0+0] x0=1@0; c1=eq.32 x0,i0; i0=1; c2=eq.32 x0,i1; i1=2; st pkt[0+10] s0=x0:1@0; t1=pass t2=pass next=pass
--
0: pass; 3 words, 3 slots; dispatch +1, exit +73, departure +2
   0100000000000000000101(9)
1: pass; 3 words, 3 slots; dispatch +1, exit +73, departure +2
   0200000000000000020002(9)
2: pass; 3 words, 3 slots; dispatch +1, exit +73, departure +2
   0300000000000000030303(9)

== a killed store is not out of bounds
# packet 01 *20
# packet 02 *20
ld pkt[0+0] x0=1@0; c1=eq.32 x0,i0; i0=1; st pkt[0+200] s0=x0:1@0 kill1; t1=pass next=drop
--
0: pass; 1 words, 1 slots; dispatch +1, exit +41, departure +1
1: aborted; 0 words, 1 slots; dispatch +1, exit +41, departure +1
   fault packet_bounds at 0

== a taken compare kills the request, exits too
# packet 01 *20
# packet 02 *20
ld pkt[0+0] x0=1@0; c1=eq.32 x0,i0; i0=1; q.exit val=i1; i1=3; t1=pass next=drop
--
0: pass; 1 words, 1 slots; dispatch +1, exit +41, departure +1
1: tx; 1 words, 1 slots; dispatch +1, exit +41, departure +1

== an exit takes the low 32 bits
# packet 00 *20
iw=-1; q.exit val=iw
--
0: 4294967295; 1 words, 1 slots; dispatch +1, exit +41, departure +1

== the chain: load, alu1, alu2 beside the compare, store
# packet 0005 *20
ld pkt[0+0] x0=2@0.swap; a1=add.64 x0,i0; i0=3; a2=lsh.64 a1,i1; i1=4; c1=eq.64 a1,i0; st pkt[0+2] s0=a1:1@0 s1=a2:2@1.swap; r2=a1 r3=a2; t1=drop next=@1
ra=r2 rb=r3; a1=sub.64 rb,ra; st pkt[0+8] s0=a1:8@0; next=pass
--
0: pass; 2 words, 2 slots; dispatch +1, exit +57, departure +2
   000508008000000078(11)

== insert 1 wins where both write; the store follows the load of its word
# packet 1122334455 *20
ld pkt[0+0] x0=4@0; i0=-1; st pkt[0+0] s0=i0:4@0 s1=x0:2@1; next=pass
--
0: pass; 1 words, 1 slots; dispatch +1, exit +41, departure +2
   ff1122ff55(15)

== an add to the stack stays in the context
# packet 00 *20
iw=-1; st stack[0+100] s0=iw:8@0; next=@1
i0=3; st.add32 stack[0+100] s0=i0:4@0; next=@2
i0=3; st.add64 stack[0+101] s0=i0:8@0; next=@3
ld stack[0+100] x0=8@0 x1=1@8; st pkt[0+0] s0=x0:8@0 s1=x1:1@8; next=pass
--
0: pass; 4 words, 4 slots; dispatch +1, exit +89, departure +2
   02030000ffffffff(12)
