// Windows, far lines, adjust_head.

== a far line is fetched once, and the word is issued again
# packet 00 *700
ld pkt[0+500] x0=8@0; next=@1
ra=31; ld pkt[ra+504] x0=8@0; next=@2
i0=5; ra=31; st pkt[ra+511] s0=i0:1@0; next=@3
ra=31; ld pkt[ra+511] x0=1@0; st pkt[0+0] s0=x0:1@0; next=pass
--
0: pass; 4 words, 5 slots; dispatch +1, exit +137, departure +3
   05(541)05(157)

== a word may need four lines
# packet 00 *1500
i0=300; a1=add.64 i0,i0; a2=lsh.64 a1,i1; i1=1; r2=a1 r3=a2; next=@1
// 568 and 1160: both across two lines
ra=r2 rb=r3; ld pkt[ra-32] x0=8@0 x1=8@8; i0=-1; st pkt[rb-56] s0=i0:8@0 s1=i0:8@8; next=@2
ra=r2 rb=r3; ld pkt[rb-56] x0=8@0 x1=1@15; st pkt[0+0] s0=x0:8@0 s1=x1:1@8; next=pass
--
0: pass; 3 words, 5 slots; dispatch +1, exit +164, departure +4
   ffffffffffffffffff(1135)ffffffffffffffffffffffffffffffff(340)

== changed far lines that leave are not lost
# packet 00 *1500
i0=520; i1=64; r2=i0 r3=i1; next=@1
ra=r2 rb=r3; a1=add.64 ra,rb; c1=ltu.64 a1,i0; i0=1400; st pkt[ra+0] s0=ra:2@0; r2=a1; t1=@1 next=@2
i0=520; r2=i0; next=@3
ra=r2; ld pkt[ra+0] x0=2@0; st pkt[0+0] s0=x0:2@0; next=@4
ra=r2; ld pkt[ra+64] x0=2@0; st pkt[0+2] s0=x0:2@0; next=pass
--
0: pass; 18 words, 34 slots; dispatch +1, exit +976, departure +4
   08024802(516)0802(62)4802(62)8802(62)c802(62)0803(62)4803(62)8803(62)c803(62)0804(62)4804(62)8804(62)c804(62)0805(62)4805(146)

== a key from beyond the window comes from the packet store
# map h hash 4 4 4
# packet 00 *700
i0=600; r2=i0; next=@1
ra=r2; q.lookup map=0 key=pkt[ra+0] dst=r2 null; t2=pass next=drop
--
0: pass; 2 words, 2 slots; dispatch +1, exit +105, departure +1

== adjust_head out: the headroom reads as zero, 216 B of it can be had
# packet 112233445566778899aabbccddee
i0=-216; q.adjust_head val=i0 dst=r2; next=@1
i0=-1; q.adjust_head val=i0 dst=r3; next=@2
ra=r2 rb=r3; ld pkt[0+214] x0=4@0; st pkt[0+0] s0=x0:4@0 s1=ra:4@4; next=@3
rb=r3; ld scr[0+0] x0=8@0; st pkt[0+8] s0=x0:8@0 s1=rb:8@8; next=pass
--
0: pass; 4 words, 4 slots; dispatch +1, exit +97, departure +2
   0000112200000000e600000000000000eaffffffffffffff(192)112233445566778899aabbccddee

== adjust_head in: at least 14 B stay
# packet 112233445566778899aabbccddeeff0011
i0=4; q.adjust_head val=i0 dst=r2; next=@1
i0=3; q.adjust_head val=i0 dst=r3; next=@2
ra=r2 rb=r3; st pkt[0+0] s0=ra:1@0 s1=rb:4@1; next=pass
--
0: pass; 3 words, 3 slots; dispatch +1, exit +81, departure +2
   ea0000000099aabbccddeeff0011

== in and out again: the bytes are still there
# packet 112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
i0=14; q.adjust_head val=i0 dst=r2; next=@1
i0=-14; q.adjust_head val=i0 dst=r2; next=pass
--
0: pass; 2 words, 2 slots; dispatch +1, exit +65, departure +1

== out and in again, with a store between; lines that leave the window are fetched again
# packet 11 *600
i0=-100; q.adjust_head val=i0 dst=r2; next=@1
i0=-1; st pkt[0+0] s0=i0:8@0; next=@2
i0=200; q.adjust_head val=i0 dst=r2; next=@3
ra=31; ld pkt[ra+400] x0=8@0; next=@4
i0=-200; q.adjust_head val=i0 dst=r2; next=@5
ld pkt[0+0] x0=4@0; st pkt[0+96] s0=x0:4@0; next=tx
--
0: tx; 6 words, 8 slots; dispatch +1, exit +222, departure +2
   ffffffffffffffff(88)ffffffff11(599)

== adjust_head by nothing
# packet 00 *20
q.adjust_head val=0 dst=r2; next=pass
--
0: pass; 1 words, 1 slots; dispatch +1, exit +45, departure +1
