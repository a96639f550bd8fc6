// Each fault, with the word that did it. What was stored to maps before stays.

== packet bounds
# packet 00 *20
next=@1
ld pkt[0+13] x0=8@0; next=pass
--
0: aborted; 1 words, 2 slots; dispatch +1, exit +57, departure +1
   fault packet_bounds at 1

== packet bounds of a store; the word's other effects do not happen
# packet 00 *20
i0=1; st pkt[0+13] s0=i0:1@0 s1=i0:8@1; next=pass
--
0: aborted; 0 words, 1 slots; dispatch +1, exit +41, departure +1
   fault packet_bounds at 0

== stack bounds
# packet 00 *20
ld stack[0+505] x0=8@0; next=pass
--
0: aborted; 0 words, 1 slots; dispatch +1, exit +41, departure +1
   fault stack_bounds at 0

== stack bounds from below
# packet 00 *20
i0=1; st stack[0-1] s0=i0:1@0; next=pass
--
0: aborted; 0 words, 1 slots; dispatch +1, exit +41, departure +1
   fault stack_bounds at 0

== scratch bounds
# packet 00 *20
ld scr[0+249] x0=8@0; next=pass
--
0: aborted; 0 words, 1 slots; dispatch +1, exit +41, departure +1
   fault scratch_bounds at 0

== the metadata cannot be written
# packet 00 *20
i0=1; st scr[0+60] s0=i0:8@0; next=pass
--
0: aborted; 0 words, 1 slots; dispatch +1, exit +41, departure +1
   fault read_only at 0

== a handle of nothing
# map counts array 4 8 2
# packet 00 *20
ld map[0+0] x0=8@0; next=pass
--
0: aborted; 0 words, 1 slots; dispatch +1, exit +41, departure +1
   fault bad_handle at 0

== beyond the value
# map counts array 4 8 2
# packet 00 *20
i0=5; st stack[0+0] s0=0:4@0; q.lookup map=0 key=stack[0+0] dst=r2 null; t2=drop next=@1
ra=r2; i0=5; st.add64 map[ra+0] s0=i0:8@0; next=@2
ra=r2; ld map[ra+1] x0=8@0; next=pass
--
0: aborted; 2 words, 3 slots; dispatch +1, exit +90, departure +1
   fault value_bounds at 2
counts 00000000 = 0500000000000000

== a read-only map
# map rodata array 4 8 1 frozen 2a
# packet 00 *20
# packet 01 *20
q.lookup map=0 key=stack[0+0] dst=r2 null; t2=drop next=@1
ra=r2; ld map[ra+0] x0=1@0; st pkt[0+1] s0=x0:1@0; next=@2
ra=r2; i0=1; ld pkt[0+0] x0=1@0; c1=eq.32 x0,i0; st map[ra+0] s0=i0:1@0 kill1; t1=@3 next=pass
q.update.any map=0 key=stack[0+0] val=stack:0 dst=r0; next=pass
--
0: aborted; 2 words, 3 slots; dispatch +1, exit +90, departure +1
   fault read_only at 2
   002a(18)
1: aborted; 3 words, 4 slots; dispatch +1, exit +106, departure +1
   fault read_only at 3
   012a(18)

== no such map
# packet 00 *20
q.lookup map=3 key=stack[0+0] dst=r2; next=pass
--
0: aborted; 0 words, 1 slots; dispatch +1, exit +41, departure +1
   fault bad_map at 0

== a key outside its space
# map h hash 8 8 4
# packet 00 *20
q.lookup map=0 key=pkt[0+13] dst=r2; next=pass
--
0: aborted; 0 words, 1 slots; dispatch +1, exit +41, departure +1
   fault packet_bounds at 0

== no such word
# packet 00 *20
next=@77
--
0: aborted; 1 words, 2 slots; dispatch +1, exit +57, departure +1
   fault bad_code_address at 77

== the budget ends a loop
# budget 100
# packet 00 *20
i0=1; st pkt[0+0] s0=i0:1@0; next=@0
--
0: aborted; 5 words, 6 slots; dispatch +1, exit +121, departure +1
   fault budget at 0
   01(19)

== a dismissible load of a bad handle reads 0
# map counts array 4 8 2
# packet ff *20
ra=0; ld.dismiss map[ra+0] x0=8@0 x1=2@3; st pkt[0+0] s0=x0:4@0 s1=x1:2@4; next=pass
--
0: pass; 1 words, 1 slots; dispatch +1, exit +41, departure +2
   (20)
