// Map requests: answers, kernel return codes, windows, posted writes.

== lookup of an array: element or nothing
# map counts array 4 8 2
# packet 01 *20
# packet 02 *20
ld pkt[0+0] x0=1@0; st stack[0+0] s0=x0:4@0; q.lookup map=0 key=stack[0+0] dst=r7 null; t2=drop next=@1
ra=r7; st pkt[0+1] s0=ra:8@0.swap; next=pass
--
0: pass; 2 words, 2 slots; dispatch +1, exit +74, departure +2
   014000000001(14)
1: drop; 1 words, 1 slots; dispatch +1, exit +51, departure +1

== update and delete of an array
# map a array 4 8 2
# packet 00 *40
# packet 01 *40
# packet 02 *40
// key = the byte, value = the packet's front
ld pkt[0+0] x0=1@0; st stack[0+0] s0=x0:4@0; q.update.any map=0 key=stack[0+0] val=pkt:0 dst=r2; next=@1
q.update.noexist map=0 key=stack[0+0] val=pkt:0 dst=r3; next=@2
q.update.exist map=0 key=stack[0+0] val=pkt:0 dst=r4; next=@3
q.delete map=0 key=stack[0+0] dst=r5; next=@4
ra=r2 rb=r3; st pkt[0+8] s0=ra:8@0.swap s1=rb:8@8.swap; next=@5
ra=r4 rb=r5; st pkt[0+24] s0=ra:8@0.swap s1=rb:8@8.swap; next=pass
--
0: pass; 6 words, 6 slots; dispatch +1, exit +161, departure +2
   (16)ffffffffffffffef0000000000000000ffffffffffffffea
1: pass; 6 words, 6 slots; dispatch +1, exit +161, departure +2
   01(15)ffffffffffffffef0000000000000000ffffffffffffffea
2: pass; 6 words, 6 slots; dispatch +1, exit +161, departure +2
   0200000000000000fffffffffffffff9fffffffffffffff9fffffffffffffff9ffffffffffffffea
a 01000000 = 0100000000000000

== a hash: insert, replace, full, delete, again
# map h hash 1 8 2
# entry h 09 9900000000000000
// any 1, any 2 (full), noexist 1 (there), exist 3 (not there), delete 9, any 2, delete 9 again
# packet 0001 *24
# packet 0002 *24
# packet 0101 *24
# packet 0203 *24
# packet 0309 *24
# packet 0002 *24
# packet 0309 *24
ld pkt[0+0] x0=1@0; c1=eq.32 x0,i0; i0=1; c2=geu.32 x0,i1; i1=2; t1=@1 t2=@2 next=@4
q.update.noexist map=0 key=pkt[0+1] val=pkt:0 dst=r2; next=@5
ld pkt[0+0] x0=1@0; c1=eq.32 x0,i0; i0=3; t1=@3 next=@6
q.delete map=0 key=pkt[0+1] dst=r2; next=@5
q.update.any map=0 key=pkt[0+1] val=pkt:0 dst=r2; next=@5
ra=r2; st pkt[0+8] s0=ra:8@0.swap; next=pass
q.update.exist map=0 key=pkt[0+1] val=pkt:0 dst=r2; next=@5
--
0: pass; 3 words, 3 slots; dispatch +1, exit +91, departure +2
1: pass; 3 words, 3 slots; dispatch +1, exit +90, departure +2
   0002000000000000fffffffffffffff90000000000000000
2: pass; 3 words, 3 slots; dispatch +1, exit +90, departure +2
   0101000000000000ffffffffffffffef0000000000000000
3: pass; 4 words, 4 slots; dispatch +1, exit +106, departure +2
   0203000000000000fffffffffffffffe0000000000000000
4: pass; 4 words, 4 slots; dispatch +1, exit +106, departure +2
5: pass; 3 words, 3 slots; dispatch +1, exit +91, departure +2
6: pass; 4 words, 4 slots; dispatch +1, exit +106, departure +2
   0309000000000000fffffffffffffffe0000000000000000
h 01 = 0001000000000000
h 02 = 0002000000000000

== a per-CPU array: each vCPU its own
# map p percpu_array 4 8 2
# packet 00 *20 vcpu 0
# packet 00 *20 vcpu 3
# packet 00 *20 vcpu 3
i0=1; st stack[0+0] s0=i0:4@0; q.lookup map=0 key=stack[0+0] dst=r2 null; t2=drop next=@1
ra=r2; i0=1; st.add64 map[ra+0] s0=i0:8@0; next=@2
ra=r2; st pkt[0+0] s0=ra:8@0.swap; next=pass
--
0: pass; 3 words, 3 slots; dispatch +1, exit +90, departure +2
   4000000080(15)
1: pass; 3 words, 3 slots; dispatch +1, exit +90, departure +2
   4000000083(15)
2: pass; 3 words, 3 slots; dispatch +1, exit +90, departure +2
   4000000083(15)
p 01000000 cpu 0 = 0100000000000000
p 01000000 cpu 3 = 0200000000000000

== an own store is seen through the window, an add takes the window away and is seen from memory
# map counts array 4 100 1
# packet 00 *40
q.lookup map=0 key=stack[0+0] dst=r2 null; t2=drop next=@1
ra=r2; i0=258; st map[ra+0] s0=i0:2@0 s1=i0:2@3; next=@2
ra=r2; ld map[ra+0] x0=8@0; st pkt[0+0] s0=x0:8@0; next=@3
ra=r2; i0=1; st.add32 map[ra+1] s0=i0:4@0; next=@4
ra=r2; ld map[ra+0] x0=8@0; st pkt[0+8] s0=x0:8@0; next=@5
// beyond the window's 64 B, then back again
ra=r2; i0=7; ld map[ra+92] x0=8@0; st map[ra+99] s0=i0:1@0; next=@6
ra=r2; ld map[ra+92] x0=8@0; st pkt[0+16] s0=x0:8@0; next=@7
ra=r2; ld map[ra+0] x0=1@0; st pkt[0+24] s0=x0:1@0; next=pass
--
0: pass; 8 words, 11 slots; dispatch +1, exit +279, departure +2
   02010002010000000202000201(10)0702(15)
counts 00000000 = 0202000201(94)07

== five writes in a row: the fifth has no credit at first
# map counts array 4 8 1
# profile tiny
# packet 00 *20
q.lookup map=0 key=stack[0+0] dst=r2 null; t2=drop next=@1
ra=r2; i0=1; st.add64 map[ra+0] s0=i0:8@0; next=@2
ra=r2; i0=1; st.add64 map[ra+0] s0=i0:8@0; next=@3
ra=r2; i0=1; st.add64 map[ra+0] s0=i0:8@0; next=@4
ra=r2; i0=1; st.add64 map[ra+0] s0=i0:8@0; next=@5
ra=r2; i0=1; st.add64 map[ra+0] s0=i0:8@0; next=@6
ra=r2; i0=1; st.add64 map[ra+0] s0=i0:8@0; next=pass
--
0: pass; 7 words, 9 slots; dispatch +1, exit +38, departure +1
counts 00000000 = 0600000000000000

== an answer of 0 ends the packet without another word
# map h hash 4 4 4
# packet 00 *20
q.lookup map=0 key=pkt[0+0] dst=r2 null; t2=tx next=drop
--
0: tx; 1 words, 1 slots; dispatch +1, exit +58, departure +1

== a request sees the store and the write back of its word; the answer comes after the write back
# map h hash 4 4 4
# entry h 07000000 01020304
# packet 00 *20
i0=7; st stack[0+64] s0=i0:4@0; r2=i0; q.lookup map=0 key=stack[0+64] dst=r2; next=@1
ra=r2; ld map[ra+0] x0=4@0; st pkt[0+0] s0=x0:4@0; next=pass
--
0: pass; 2 words, 2 slots; dispatch +1, exit +82, departure +2
   01020304(16)
h 07000000 = 01020304

== keys and values that lie in map values
# map keys array 4 16 1 07000000aabbccdd
# map h hash 4 8 4
# packet 00 *24
q.lookup map=0 key=stack[0+0] dst=r2 null; t2=drop next=@1
ra=r2; q.update.any map=1 key=map[ra+0] val=map:ra dst=r4; next=@2
ra=r2 rb=r4; q.lookup map=1 key=map[ra+0] dst=r6 null; t2=drop next=@3
ra=r6 rb=r4; ld map[ra+0] x0=8@0; st pkt[0+0] s0=x0:8@0 s1=rb:4@8; next=pass
--
0: pass; 4 words, 4 slots; dispatch +1, exit +173, departure +2
   07000000aabbccdd(16)
keys 00000000 = 07000000aabbccdd0000000000000000
h 07000000 = 07000000aabbccdd
