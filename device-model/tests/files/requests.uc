// What the engine's own units do: packet unit, byte unit, divider, clock, random numbers, calls, redirects, texts.

== adjust_tail: shorter, longer again with zeros, at least 14 B
# packet 112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
i0=-10; q.adjust_tail val=i0 dst=r2; next=@1
i0=-8; q.adjust_tail val=i0 dst=r3; next=@2
i0=4; q.adjust_tail val=i0 dst=r4; next=@3
ra=r3 rb=r4; ld scr[0+0] x0=8@0; st pkt[0+0] s0=ra:1@0 s1=x0:1@1; next=@4
rb=r4; ld pkt[0+17] x0=8@0; st pkt[0+2] s0=rb:1@0 s1=x0:8@1; next=pass
--
0: pass; 5 words, 5 slots; dispatch +1, exit +117, departure +2
   ea19002233445500000000ccddeeff00112233445500000000

== adjust_tail: to the end of the buffer, not beyond
# packet 11 *3500
i0=21; q.adjust_tail val=i0 dst=r2; next=@1
i0=20; q.adjust_tail val=i0 dst=r3; next=@2
i0=1; q.adjust_tail val=i0 dst=r4; next=@3
ra=r2 rb=r3; st pkt[0+1] s0=ra:8@0 s1=rb:8@8; next=@4
ra=r4; st pkt[0+17] s0=ra:8@0; next=pass
--
0: pass; 5 words, 5 slots; dispatch +1, exit +124, departure +2
   11eaffffffffffffff0000000000000000eaffffffffffffff(3495)

== adjust_tail: grown bytes beyond the window are changed lines of the packet store
# packet 11 *700
i0=200; q.adjust_tail val=i0 dst=r2; next=@1
ra=31; ld pkt[ra+481] x0=8@0; next=tx
--
0: tx; 2 words, 3 slots; dispatch +1, exit +109, departure +1
   11(899)

== adjust_tail: a packet whose front was moved keeps its buffer
# packet 11 *60
i0=-216; q.adjust_head val=i0 dst=r2; next=@1
i0=3460; q.adjust_tail val=i0 dst=r2; next=@2
i0=1; q.adjust_tail val=i0 dst=r3; next=@3
ra=r2 rb=r3; ld scr[0+0] x0=8@0; st pkt[0+0] s0=ra:8@0 s1=rb:8@8; next=@4
ld scr[0+0] x0=8@0; st pkt[0+16] s0=x0:8@0; next=tx
--
0: tx; 5 words, 5 slots; dispatch +1, exit +117, departure +6
   0000000000000000eaffffffffffffff980e(198)11(3519)

== metadata is written and read at negative addresses and leaves with the packet
# packet 112233445566778899aabbccddeeff00
i0=-8; q.adjust_meta val=i0 dst=r2; next=@1
ld pkt[0+0] x0=4@0; st pkt[0-8] s0=x0:4@0 s1=i0:2@4; i0=0x7777; next=@2
ld pkt[0-8] x0=8@0; st pkt[0+0] s0=x0:8@0; next=@3
ld scr[0+24] x0=8@0; st pkt[0+8] s0=x0:2@0; next=pass
--
0: pass; 4 words, 4 slots; dispatch +1, exit +93, departure +3
   meta 1122334477770000
   11223344777700000800bbccddeeff00

== metadata before the metadata is out of bounds
# packet 112233445566778899aabbccddeeff00
i0=-4; q.adjust_meta val=i0 dst=r2; next=@1
ld pkt[0-5] x0=1@0; next=pass
--
0: aborted; 1 words, 2 slots; dispatch +1, exit +61, departure +1
   fault packet_bounds at 1
   meta 00000000

== a load may reach from the metadata into the packet
# packet 112233445566778899aabbccddeeff00
i0=-4; q.adjust_meta val=i0 dst=r2; next=@1
st pkt[0-4] s0=i0:4@0; i0=-1; next=@2
ld pkt[0-2] x0=8@0; st pkt[0+8] s0=x0:8@0; next=pass
--
0: pass; 3 words, 3 slots; dispatch +1, exit +77, departure +3
   meta ffffffff
   1122334455667788ffff112233445566

== adjust_meta: the limits of the kernel
# packet 112233445566778899aabbccddeeff00
// -220: out of the headroom; 4: behind data; -6: no multiple of 4; -216: all of it
i0=-220; q.adjust_meta val=i0 dst=r2; next=@1
i0=4; q.adjust_meta val=i0 dst=r3; next=@2
i0=-6; q.adjust_meta val=i0 dst=r4; next=@3
i0=-216; q.adjust_meta val=i0 dst=r5; next=@4
ra=r2 rb=r3; st pkt[0+0] s0=ra:1@0 s1=rb:1@1; next=@5
ra=r4 rb=r5; st pkt[0+2] s0=ra:1@0 s1=rb:1@1; next=pass
--
0: pass; 6 words, 6 slots; dispatch +1, exit +137, departure +2
   meta (216)
   eaeaf3005566778899aabbccddeeff00

== adjust_meta: at most 255 bytes, so 252
# packet 11 *400
i0=100; q.adjust_head val=i0 dst=r2; next=@1
i0=-256; q.adjust_meta val=i0 dst=r3; next=@2
i0=-252; q.adjust_meta val=i0 dst=r4; next=@3
ra=r3 rb=r4; ld pkt[0-100] x0=1@0; st pkt[0+0] s0=ra:1@0 s1=rb:1@1; next=@4
ld pkt[0-100] x0=1@0; st pkt[0+2] s0=x0:1@0; next=pass
--
0: pass; 5 words, 6 slots; dispatch +1, exit +164, departure +2
   meta (152)11(99)
   f30011(297)

== adjust_head moves the metadata, and needs room for it
# packet 112233445566778899aabbccddeeff00 *40
i0=-16; q.adjust_meta val=i0 dst=r2; next=@1
i0=0x5555; st pkt[0-16] s0=i0:2@0 s1=i0:2@14; next=@2
i0=-201; q.adjust_head val=i0 dst=r3; next=@3
i0=-200; q.adjust_head val=i0 dst=r4; next=@4
ra=r3 rb=r4; ld pkt[0-16] x0=8@0; st pkt[0+0] s0=ra:1@0 s1=x0:8@1; next=@5
rb=r4; st pkt[0+9] s0=rb:1@0; next=pass
--
0: pass; 6 words, 6 slots; dispatch +1, exit +133, departure +4
   meta 5555(12)5555
   ea5555(181)5555(12)5555112233445566778899aabbccddeeff(25)

== adjust_head inwards leaves the metadata's old bytes behind it
# packet 112233445566778899aabbccddeeff00 *40
i0=-4; q.adjust_meta val=i0 dst=r2; next=@1
i0=-1; st pkt[0-4] s0=i0:4@0; next=@2
i0=2; q.adjust_head val=i0 dst=r3; next=@3
i0=-4; q.adjust_meta val=i0 dst=r4; next=pass
--
0: pass; 4 words, 4 slots; dispatch +1, exit +101, departure +3
   meta 0000ffffffffffff
   33445566778899aabbccddeeff(25)

== load_bytes to stack and scratch; store_bytes back
# packet 112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00
rc=20; q.load_bytes key=stack[0+100] val=i0 dst=r2; i0=3; next=@1
rc=8; q.store_bytes key=stack[0+104] val=0 dst=r3; next=@2
rc=5; q.load_bytes key=scr[0+70] val=i0 dst=r4; i0=1; next=@3
ld scr[0+70] x0=5@0; st pkt[0+24] s0=x0:8@0; next=tx
--
0: tx; 4 words, 4 slots; dispatch +1, exit +93, departure +2
   8899aabbccddeeff99aabbccddeeff00112233445566778899aabbccdd000000

== load_bytes and store_bytes: errors
# packet 112233445566778899aabbccddeeff00
// beyond the packet: -22; an offset beyond 64 KiB: -14; nothing at the end: 0
rc=8; q.load_bytes key=stack[0+0] val=i0 dst=r2; i0=9; next=@1
rc=8; q.store_bytes key=stack[0+0] val=iw dst=r3; iw=65536; next=@2
rc=0; q.load_bytes key=stack[0+0] val=i0 dst=r4; i0=16; next=@3
rc=1; q.load_bytes key=stack[0+0] val=i0 dst=r5; i0=16; next=@4
ra=r2 rb=r3; st pkt[0+0] s0=ra:1@0 s1=rb:1@1; next=@5
ra=r4 rb=r5; st pkt[0+2] s0=ra:1@0 s1=rb:1@1; next=pass
--
0: pass; 6 words, 6 slots; dispatch +1, exit +125, departure +2
   eaf200ea5566778899aabbccddeeff00

== load_bytes: the memory must hold them
# packet 112233445566778899aabbccddeeff00
rc=8; q.load_bytes key=stack[0+505] val=0 dst=r2; next=pass
--
0: aborted; 0 words, 1 slots; dispatch +1, exit +41, departure +1
   fault stack_bounds at 0

== load_bytes: not into the packet's metadata block
# packet 112233445566778899aabbccddeeff00
rc=8; q.load_bytes key=scr[0+40] val=0 dst=r2; next=pass
--
0: aborted; 0 words, 1 slots; dispatch +1, exit +41, departure +1
   fault read_only at 0

== load_bytes from lines beyond the window, store_bytes to others
# packet 11 *1500
i0=1000; rc=31; q.store_bytes key=pkt[0+0] val=i0 dst=r2; next=@1
i0=1000; rc=31; q.load_bytes key=stack[0+0] val=i0 dst=r3; next=@2
ld stack[0+0] x0=1@0; st pkt[0+1] s0=x0:1@0; next=tx
--
0: tx; 3 words, 3 slots; dispatch +1, exit +108, departure +2
   1111(998)11(499)

== load_bytes into a map value and store_bytes from it
# map a array 4 24 2
# packet 112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00
q.lookup map=0 key=stack[0+0] dst=r7 null; t2=drop next=@1
rb=r7 rc=20; q.load_bytes key=map[rb+4] val=i0 dst=r2; i0=2; next=@2
ra=r7; ld map[ra+4] x0=4@0; st pkt[0+0] s0=x0:4@0; next=@3
rb=r7 rc=10; q.store_bytes key=map[rb+8] val=i0 dst=r3; i0=20; next=tx
--
0: tx; 4 words, 5 slots; dispatch +1, exit +171, departure +2
   334455665566778899aabbccddeeff0011223344778899aabbccddeeff00ff00
a 00000000 = 0000000033445566778899aabbccddeeff00112233445566

== load_bytes into a frozen map
# map a array 4 8 1 frozen 0011223344556677
# packet 112233445566778899aabbccddeeff00
q.lookup map=0 key=stack[0+0] dst=r7 null; t2=drop next=@1
rb=r7 rc=4; q.load_bytes key=map[rb+0] val=0 dst=r2; next=pass
--
0: aborted; 1 words, 2 slots; dispatch +1, exit +74, departure +1
   fault read_only at 1

== csum: seed, words with end-around carry, a last word filled up with zeros
# map a array 4 8 1 ffffffff01000000
# packet ffffffffffffffff0100000002000300ff
q.csum key=pkt[0+0] val=i0 dst=r2; i0=8; rc=1; next=@1
q.csum key=pkt[0+8] val=i0 dst=r3; i0=9; rc=0; next=@2
q.csum key=stack[0+0] val=0 dst=r4; rc=-1; next=@3
q.lookup map=0 key=stack[0+0] dst=r7 null; t2=drop next=@4
rb=r7 rc=2; q.csum key=map[rb+0] val=i0 dst=r5; i0=8; next=@5
ra=r2 rb=r3; st pkt[0+0] s0=ra:4@0.swap s1=rb:4@4.swap; next=@6
ra=r4 rb=r5; st pkt[0+8] s0=ra:4@0.swap s1=rb:4@4.swap; next=pass
--
0: pass; 7 words, 7 slots; dispatch +1, exit +175, departure +2
   0000000100030102ffffffff00000003ff
a 00000000 = ffffffff01000000

== csum out of bounds
# packet 112233445566778899aabbccddeeff00
q.csum key=pkt[0+0] val=i0 dst=r2; i0=17; rc=1; next=pass
--
0: aborted; 0 words, 1 slots; dispatch +1, exit +41, departure +1
   fault packet_bounds at 0

== divisions: quotients
# packet 00 *60
i0=-7; r2=i0; next=@1
ra=r2 rc=2; q.divu32 val=ra dst=r3; next=@2
ra=r2 rc=2; q.divu64 val=ra dst=r4; next=@3
ra=r2 rc=2; q.divs32 val=ra dst=r5; next=@4
ra=r2 rc=2; q.divs64 val=ra dst=r6; next=@5
ra=r3 rb=r4; st pkt[0+0] s0=ra:8@0.swap s1=rb:8@8.swap; next=@6
ra=r5 rb=r6; st pkt[0+16] s0=ra:8@0.swap s1=rb:8@8.swap; next=pass
--
0: pass; 7 words, 7 slots; dispatch +1, exit +281, departure +2
   000000007ffffffc7ffffffffffffffc00000000fffffffdfffffffffffffffd(28)

== divisions: remainders
# packet 00 *60
i0=-7; r2=i0; next=@1
ra=r2 rc=4; q.modu32 val=ra dst=r3; next=@2
ra=r2 rc=4; q.modu64 val=ra dst=r4; next=@3
ra=r2 rc=4; q.mods32 val=ra dst=r5; next=@4
ra=r2 rc=4; q.mods64 val=ra dst=r6; next=@5
ra=r3 rb=r4; st pkt[0+0] s0=ra:8@0.swap s1=rb:8@8.swap; next=@6
ra=r5 rb=r6; st pkt[0+16] s0=ra:8@0.swap s1=rb:8@8.swap; next=pass
--
0: pass; 7 words, 7 slots; dispatch +1, exit +281, departure +2
   0000000000000001000000000000000100000000fffffffdfffffffffffffffd(28)

== divisions by zero: quotient 0, remainder the dividend
# packet 00 *60
i0=-7; r2=i0; next=@1
ra=r2 rc=0; q.divs32 val=ra dst=r3; next=@2
ra=r2 rc=0; q.divu64 val=ra dst=r4; next=@3
ra=r2 rc=0; q.mods32 val=ra dst=r5; next=@4
ra=r2 rc=0; q.mods64 val=ra dst=r6; next=@5
ra=r2 rc=0; q.modu32 val=ra dst=r8; next=@6
ra=r3 rb=r4; st pkt[0+0] s0=ra:8@0.swap s1=rb:8@8.swap; next=@7
ra=r5 rb=r6; st pkt[0+16] s0=ra:8@0.swap s1=rb:8@8.swap; next=@8
ra=r8; st pkt[0+32] s0=ra:8@0.swap; next=pass
--
0: pass; 9 words, 9 slots; dispatch +1, exit +349, departure +2
   (20)fffffff9fffffffffffffff900000000fffffff9(20)

== divisions that overflow wrap
# packet 00 *60
i0=1; a1=lsh.64 i0,i1; i1=63; r2=a1; next=@1
i0=1; a1=lsh.64 i0,i1; i1=31; r3=a1; next=@2
ra=r3 rc=-1; q.divs32 val=ra dst=r4; next=@3
ra=r2 rc=-1; q.divs64 val=ra dst=r5; next=@4
ra=r3 rc=-1; q.mods32 val=ra dst=r6; next=@5
ra=r2 rc=-1; q.mods64 val=ra dst=r8; next=@6
ra=r4 rb=r5; st pkt[0+0] s0=ra:8@0.swap s1=rb:8@8.swap; next=@7
ra=r6 rb=r8; st pkt[0+16] s0=ra:8@0.swap s1=rb:8@8.swap; next=pass
--
0: pass; 8 words, 8 slots; dispatch +1, exit +297, departure +2
   000000008000000080(51)

== an engine has one divider
# profile small
# mode any
# together
# packet 00 *60
# packet 01 *60
# packet 02 *60
rc=3; i0=100; q.divu64 val=i0 dst=r3; next=@1
rc=r3; i0=100; q.modu64 val=i0 dst=r3; next=@2
ra=r3; st pkt[0+0] s0=ra:1@0; next=pass
--
0: pass; 3 words, 3 slots; dispatch +1, exit +201, departure +2
   01(59)
1: pass; 3 words, 3 slots; dispatch +2, exit +236, departure +2
2: pass; 3 words, 3 slots; dispatch +3, exit +271, departure +2
   01(59)

== clock and random numbers of a device whose time stands still
# chance 123456789 4294937296 1
# packet 00 *60
# packet 00 *60
q.ktime_ns dst=r2; next=@1
q.jiffies dst=r3; next=@2
q.prandom dst=r4; next=@3
q.prandom dst=r5; next=@4
ra=r2 rb=r3; st pkt[0+0] s0=ra:8@0.swap s1=rb:8@8.swap; next=@5
ra=r4 rb=r5; st pkt[0+16] s0=ra:8@0.swap s1=rb:8@8.swap; next=pass
--
0: pass; 6 words, 6 slots; dispatch +1, exit +149, departure +2
   00000000075bcd1500000000ffff8ad0000000006c576fac00000000826886b3(28)
1: pass; 6 words, 6 slots; dispatch +1, exit +149, departure +2
   00000000075bcd1500000000ffff8ad000000000a5fae19900000000620355cd(28)

== time passes
# profile small
# packet 00 *20
q.ktime_ns dst=r2; next=@1
q.ktime_ns dst=r3; next=@2
ra=r2 rb=r3; st pkt[0+0] s0=ra:8@0.swap s1=rb:8@8.swap; next=pass
--
0: pass; 3 words, 3 slots; dispatch +1, exit +75, departure +2
   00000000000000d2000000000000012700000000

== redirect: the last one that does not fail counts
# packet 00 *20
i0=7; q.redirect val=i0 dst=r2; next=@1
i0=9; q.redirect val=i0 dst=r3; next=@2
i0=11; rc=1; q.redirect val=i0 dst=r4; next=@3
ra=r3 rb=r4; st pkt[0+0] s0=ra:1@0 s1=rb:1@1; next=redirect
--
0: redirect; 4 words, 4 slots; dispatch +1, exit +92, departure +2
   redirect to interface 9, flags 0
   04(19)

== calls return where they came from
# packet 00 *20
q.call; t2=@4 next=@1
q.call; t2=@4 next=@2
q.call; t2=@5 next=pass
next=aborted
ld pkt[0+0] x0=1@0; a1=add.64 x0,i0; i0=1; st pkt[0+0] s0=a1:1@0; q.ret
q.call; t2=@4 next=@6
q.ret
--
0: pass; 8 words, 8 slots; dispatch +1, exit +153, departure +2
   03(19)

== a ninth call that has not returned is a fault
# packet 00 *20
ld pkt[0+0] x0=1@0; a1=add.64 x0,i0; i0=1; st pkt[0+0] s0=a1:1@0; q.call; t2=@0 next=pass
--
0: aborted; 8 words, 9 slots; dispatch +1, exit +169, departure +1
   fault call_depth at 0
   08(19)

== a return without a call is a fault
# packet 00 *20
q.ret
--
0: aborted; 0 words, 1 slots; dispatch +1, exit +41, departure +1
   fault call_depth at 0

== a call whose compare is taken is none
# packet 00 *20
rb=1; c1=ne.64 rb; t1=@1; q.call; t2=@2 next=@2
q.ret
next=pass
--
0: aborted; 1 words, 2 slots; dispatch +1, exit +57, departure +1
   fault call_depth at 1

== printk: text and arguments for the host
# map text array 4 16 1 frozen 6869202575202575202578000000
# packet 112233445566778899aabbccddeeff00
q.lookup map=0 key=stack[0+0] dst=r7 null; t2=drop next=@1
i0=5; i1=-1; st scr[0+232] s0=i0:8@0 s1=i1:8@8; next=@2
i0=-2; st scr[0+248] s0=i0:8@0; next=@3
rb=r7; i0=12; q.printk key=map[rb+0] val=i0 dst=r2; next=@4
i0=3; q.printk key=pkt[0+1] val=i0 dst=r3; next=@5
ra=r2; st pkt[0+0] s0=ra:4@0; next=drop
--
0: drop; 6 words, 6 slots; dispatch +1, exit +157, departure +1
   printk 686920257520257520257800 [5, ffffffffffffffff, fffffffffffffffe]
   printk 223344 [5, ffffffffffffffff, fffffffffffffffe]
   000000005566778899aabbccddeeff00
