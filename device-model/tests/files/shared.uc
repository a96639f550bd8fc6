// Atomics, locks, ring buffers, perf events.

== fetching atomics of 64 bits: old values, and what stays
# map a array 4 24 1 0100000000000000f0f0f0f0000000000500000000000000
# packet 00 *60
q.lookup map=0 key=stack[0+0] dst=r2 null; t2=drop next=@1
ra=r2; i0=-2; q.fetch_add64 key=map[ra+0] val=i0 dst=r3; next=@2
ra=r2; i0=15; q.fetch_or64 key=map[ra+8] val=i0 dst=r4; next=@3
ra=r2; i0=255; q.fetch_and64 key=map[ra+8] val=i0 dst=r5; next=@4
ra=r2; i0=-1; q.fetch_xor64 key=map[ra+8] val=i0 dst=r6; next=@5
ra=r2; i0=9; rc=4; q.cmpxchg64 key=map[ra+16] val=i0 dst=r7; next=@6
ra=r2; i0=9; rc=5; q.cmpxchg64 key=map[ra+16] val=i0 dst=r8; next=@7
ra=r2; i0=1; q.xchg64 key=map[ra+16] val=i0 dst=r9; next=@8
ra=r3 rb=r4; st pkt[0+0] s0=ra:8@0 s1=rb:8@8; next=@9
ra=r5 rb=r6; st pkt[0+16] s0=ra:8@0 s1=rb:8@8; next=@10
ra=r7 rb=r8; st pkt[0+32] s0=ra:8@0 s1=rb:8@8; next=@11
ra=r9; st pkt[0+48] s0=ra:8@0; next=pass
--
0: pass; 12 words, 12 slots; dispatch +1, exit +354, departure +2
   0100000000000000f0f0f0f000000000fff0f0f000000000ff000000000000000500000000000000050000000000000009(11)
a 00000000 = ffffffffffffffff00ffffffffffffff0100000000000000

== fetching atomics of 32 bits: zero-extended, the upper half stays
# map a array 4 8 1 ffffffff11111111
# packet 00 *40
q.lookup map=0 key=stack[0+0] dst=r2 null; t2=drop next=@1
ra=r2; i0=2; q.fetch_add32 key=map[ra+0] val=i0 dst=r3; next=@2
ra=r2; i0=-1; rc=1; q.cmpxchg32 key=map[ra+0] val=i0 dst=r4; next=@3
ra=r3 rb=r4; st pkt[0+0] s0=ra:8@0 s1=rb:8@8; next=pass
--
0: pass; 4 words, 4 slots; dispatch +1, exit +140, departure +2
   ffffffff0000000001(31)
a 00000000 = ffffffff11111111

== an atomic sees the own writes before it, and waits for those to other elements
# map a array 4 8 4
# packet 00 *40
q.lookup map=0 key=stack[0+0] dst=r2 null; t2=drop next=@1
ra=r2; i0=5; st map[ra+0] s0=i0:8@0; next=@2
ra=r2; i0=5; st.add64 map[ra+0] s0=i0:8@0; next=@3
ra=r2; i0=1; q.fetch_add64 key=map[ra+0] val=i0 dst=r3; next=@4
ra=r3; st pkt[0+0] s0=ra:8@0; next=pass
--
0: pass; 5 words, 5 slots; dispatch +1, exit +139, departure +2
   0a(39)
a 00000000 = 0b00000000000000

== an atomic outside the value, and one on a map that cannot be written
# map a array 4 12 1
# map f array 4 8 1 frozen 0102030405060708
# packet 00 *20
# packet 01 *20
ld pkt[0+0] x0=1@0; c1=ne.64 x0,0; q.lookup map=0 key=stack[0+0] dst=r2; t1=@2 next=@1
ra=r2; q.fetch_add64 key=map[ra+8] val=ra dst=r3; next=pass
q.lookup map=1 key=stack[0+0] dst=r2; next=@3
ra=r2; q.fetch_add64 key=map[ra+0] val=ra dst=r3; next=pass
--
0: aborted; 1 words, 2 slots; dispatch +1, exit +74, departure +1
   fault value_bounds at 1
1: aborted; 2 words, 3 slots; dispatch +1, exit +90, departure +1
   fault read_only at 3

== packets take a lock one after the other
# map a array 4 16 1
# lock a 0
# mode any
# together
# packet 00 *60
# packet 00 *60
# packet 00 *60
# packet 00 *60
q.lookup map=0 key=stack[0+0] dst=r2 null; t2=drop next=@1
rc=r2; q.spin.lock val=rc dst=r3; next=@2
ra=r2; ld map[ra+8] x0=8@0; i0=1; a1=add.64 x0,i0; st map[ra+8] s0=a1:8@0; r5=a1; next=@3
rc=r2; q.spin.unlock val=rc dst=r3; next=@4
ra=r5; st pkt[0+0] s0=ra:8@0; next=pass
--
0: pass; 5 words, 6 slots; dispatch +1, exit +189, departure +2
   01(59)
1: pass; 5 words, 6 slots; dispatch +2, exit +270, departure +2
   02(59)
2: pass; 5 words, 6 slots; dispatch +3, exit +351, departure +2
   03(59)
3: pass; 5 words, 6 slots; dispatch +4, exit +432, departure +2
   04(59)
a 00000000 = 00000000000000000400000000000000

== who ends with a lock gives it back; nobody has two, or gives back what is not held
# map a array 4 16 2
# lock a 0
# mode any
# together
# packet 00 *60
# packet 01 *60
# packet 02 *60
# packet 03 *60
ld pkt[0+0] x0=1@0; q.lookup map=0 key=stack[0+0] dst=r2 null; r5=x0; t2=drop next=@1
rb=r5; rc=r2; i0=2; c1=eq.64 rb,i0; q.spin.lock val=rc dst=r3; t1=@3 next=@2
rb=r5; rc=r2; c1=eq.64 rb,0; q.spin.lock val=rc dst=r3; t1=pass next=drop
rc=r2; q.spin.unlock val=rc dst=r3; next=pass
--
2: aborted; 2 words, 3 slots; dispatch +3, exit +90, departure +1
   fault bad_lock at 3
0: pass; 3 words, 3 slots; dispatch +1, exit +107, departure +1
1: aborted; 2 words, 3 slots; dispatch +2, exit +155, departure +1
   fault bad_lock at 2
3: aborted; 2 words, 3 slots; dispatch +4, exit +202, departure +1
   fault bad_lock at 2

== updates leave a lock's bytes alone
# map a array 4 8 1 11111111aaaaaaaa
# lock a 0
# packet 2222222233333333 *20
q.update.any map=0 key=stack[0+0] val=pkt:0 dst=r2; next=@1
q.lookup map=0 key=stack[0+0] dst=r2; next=@2
ra=r2; ld map[ra+0] x0=8@0; st pkt[0+8] s0=x0:8@0; next=pass
--
0: pass; 3 words, 3 slots; dispatch +1, exit +100, departure +2
   2222222233333333111111113333333300000000
a 00000000 = 0000000033333333

== a record: reserved, written, submitted; its bytes are zero at first
# map r ringbuf 0 0 4096
# packet 0102030405060708 *60
# packet 1112131415161718 *60
i0=12; rc=0; q.ring.reserve map=0 val=i0 dst=r2 null; t2=drop next=@1
ra=r2; ld pkt[0+0] x0=8@0; st map[ra+2] s0=x0:8@0; next=@2
ra=r2; ld map[ra+0] x0=8@0; st pkt[0+8] s0=x0:8@0; next=@3
rc=0; i0=3; q.ring.query map=0 val=i0 dst=r4; next=@4
ra=r2 rb=r4; rc=0; q.ring.submit val=ra dst=r5; st pkt[0+16] s0=rb:8@0; next=pass
--
0: pass; 5 words, 6 slots; dispatch +1, exit +189, departure +2
   ring 0: 000001020304050607080000
   0102030405060708000001020304050618(43)
1: pass; 5 words, 6 slots; dispatch +1, exit +189, departure +2
   ring 0: 000011121314151617180000
   1112131415161718000011121314151630(43)

== a record has no more bytes than were reserved, and is gone once submitted
# map r ringbuf 0 0 4096
# packet 00 *60
# packet 01 *60
# packet 02 *60
i0=12; rc=0; ld pkt[0+0] x0=1@0; r5=x0; q.ring.reserve map=0 val=i0 dst=r2 null; t2=drop next=@1
ra=r5; c1=eq.64 ra,0; i0=1; c2=eq.64 ra,i0; t1=@2 t2=@3 next=@5
ra=r2; st map[ra+8] s0=ra:8@0; next=pass
ra=r2; rc=0; q.ring.discard val=ra dst=r3; next=@4
ra=r2; st map[ra+0] s0=ra:8@0; next=pass
ra=r2; rc=0; i0=4; a1=add.64 ra,i0; r2=a1; next=@6
ra=r2; rc=0; q.ring.submit val=ra dst=r3; next=pass
--
0: aborted; 2 words, 3 slots; dispatch +1, exit +90, departure +1
   fault value_bounds at 2
1: aborted; 3 words, 4 slots; dispatch +1, exit +123, departure +1
   fault bad_handle at 4
2: aborted; 3 words, 4 slots; dispatch +1, exit +106, departure +1
   fault bad_handle at 6

== a record that its packet leaves behind is discarded, and its memory comes back
# map r ringbuf 0 0 4096
# packet 00 *60
# packet 00 *60
# packet 00 *60
i0=4080; rc=0; q.ring.reserve map=0 val=i0 dst=r2 null; t2=drop next=pass
--
0: pass; 1 words, 1 slots; dispatch +1, exit +58, departure +1
1: pass; 1 words, 1 slots; dispatch +1, exit +58, departure +1
2: pass; 1 words, 1 slots; dispatch +1, exit +58, departure +1

== output: data of the packet, flags, no room
# map r ringbuf 0 0 4096
# packet 0102030405060708 *60
i0=3; rc=0; q.ring.output map=0 key=pkt[0+0] val=i0 dst=r2; next=@1
i0=3; rc=4; q.ring.output map=0 key=pkt[0+0] val=i0 dst=r3; next=@2
i0=4064; rc=0; q.ring.reserve map=0 val=i0 dst=r4; next=@3
i0=4048; rc=0; q.ring.reserve map=0 val=i0 dst=r5; next=@4
i0=5; rc=1; q.ring.output map=0 key=pkt[0+0] val=i0 dst=r6; next=@5
i0=0; rc=0; q.ring.query map=0 val=i0 dst=r7; next=@6
ra=r2 rb=r3; st pkt[0+8] s0=ra:4@0 s1=rb:4@4; next=@7
ra=r4 rb=r6; st pkt[0+16] s0=ra:4@0 s1=rb:4@4; next=@8
ra=r7 rb=r5; st pkt[0+24] s0=ra:4@0 s1=rb:8@8.swap; next=pass
--
0: pass; 9 words, 9 slots; dispatch +1, exit +272, departure +2
   ring 0: 010203
   010203040506070800000000eaffffff00000002f5fffffff80f(34)

== nine records at once: the ninth finds no room
# map r ringbuf 0 0 4096
# packet 00 *60
i0=1; rc=0; q.ring.reserve map=0 val=i0 dst=r2 null; t2=@2 next=@1
ld pkt[0+0] x0=1@0; i0=1; a1=add.64 x0,i0; st pkt[0+0] s0=a1:1@0; next=@0
next=pass
--
0: pass; 18 words, 18 slots; dispatch +1, exit +466, departure +2
   08(59)

== perf events: on the own vCPU, with packet bytes; what is refused
# map p perf_event_array 4 4 200
# packet 0102030405060708 *60 vcpu 3
ra=-1; iw=0xffffffff; r2=iw; a1=rsh.64 ra,i0; next=@1
ra=r2; rb=4; a1=pack.64 rb,ra; r5=a1; next=@2
i0=2; rc=r5; q.perf.output map=0 key=pkt[0+1] val=i0 dst=r3; next=@3
i0=1; rc=3; q.perf.output map=0 key=pkt[0+7] val=i0 dst=r4; next=@4
i0=2; rc=2; q.perf.output map=0 key=pkt[0+0] val=i0 dst=r6; next=@5
ra=r3 rb=r4; st pkt[0+0] s0=ra:4@0 s1=rb:4@4; next=@6
rb=r6; st pkt[0+8] s0=rb:4@0; i0=150; r2=i0; next=@7
i0=2; rc=r2; q.perf.output map=0 key=pkt[0+0] val=i0 dst=r3; next=@8
i0=200; r2=i0; next=@9
i0=2; rc=r2; q.perf.output map=0 key=pkt[0+0] val=i0 dst=r4; next=@10
i0=-1; r2=i0; next=@11
i0=2; rc=r2; q.perf.output map=0 key=pkt[0+0] val=i0 dst=r6; next=@12
rb=31; ra=3; a1=pack.64 rb,ra; a2=add.64 a1,a1; r5=a2; next=@13
rb=31; a1=add.64 rb,rb; ra=3; r5=a1; next=@14
ra=r5; rb=3; a1=pack.64 ra,rb; r5=a1; next=@15
i0=2; rc=r5; q.perf.output map=0 key=pkt[0+0] val=i0 dst=r7; next=@16
ra=r3 rb=r4; st pkt[0+16] s0=ra:4@0 s1=rb:4@4; next=@17
ra=r6 rb=r7; st pkt[0+24] s0=ra:4@0 s1=rb:4@4; next=pass
--
0: pass; 18 words, 18 slots; dispatch +1, exit +383, departure +2
   perf 0[3]: 0203 packet 01020304
   perf 0[3]: 08 packet 
   0000000000000000a1ffffff00000000fefffffff9ffffffeafffffff2ffffff(28)

== an update with flags waits for the lock of the value; who holds the lock may not ask
# map a array 4 16 2
# lock a 0
# mode any
# together
# packet 00 *40
# packet 01 *40
# packet 00 *40
# packet 01 *40
# packet 02 *40
// 0: counts under the lock; 1: writes in place with BPF_F_LOCK; 2: both at once
ld pkt[0+0] x0=1@0; q.lookup map=0 key=stack[0+0] dst=r2 null; r5=x0; t2=drop next=@1
rb=r5; c1=eq.64 rb,i0; i0=1; t1=@5 next=@2
rc=r2; q.spin.lock val=rc dst=r3; next=@3
ra=r2 rb=r5; ld map[ra+8] x0=8@0; i0=1; a1=add.64 x0,i0; c1=eq.64 rb,i1; i1=2; st map[ra+8] s0=a1:8@0; r5=a1; t1=@5 next=@4
rc=r2; q.spin.unlock val=rc dst=r3; next=@6
rc=4; q.update.flags map=0 key=stack[0+0] val=pkt:0 dst=r5; next=@6
ra=r5; st pkt[0+16] s0=ra:8@0.swap; next=pass
--
1: pass; 4 words, 4 slots; dispatch +2, exit +198, departure +2
0: pass; 6 words, 7 slots; dispatch +1, exit +205, departure +2
   (23)01(16)
3: pass; 4 words, 4 slots; dispatch +4, exit +279, departure +2
2: pass; 6 words, 7 slots; dispatch +3, exit +286, departure +2
   (23)01(16)
4: aborted; 4 words, 6 slots; dispatch +5, exit +334, departure +1
   fault bad_lock at 5
a 00000000 = 00000000000000000100000000000000

== flags that come with the update: every kind of map says what the kernel says
# map a array 4 8 1
# map p percpu_array 4 8 1
# map h hash 1 8 1
# map c percpu_hash 1 8 1
# map l lru_hash 1 8 1
# map t lpm_trie 8 8 1
// 3, 4, 5, 8 in each: answers at 8
# packet 03 *48
# packet 04 *48
# packet 05 *48
# packet 08 *48
ld pkt[0+0] x0=1@0; r3=x0; next=@1
rc=r3; q.update.flags map=0 key=stack[0+0] val=stack:0 dst=r4; next=@2
rc=r3; q.update.flags map=1 key=stack[0+0] val=stack:0 dst=r5; next=@3
rc=r3; q.update.flags map=2 key=stack[0+0] val=stack:0 dst=r6; next=@4
rc=r3; q.update.flags map=3 key=stack[0+0] val=stack:0 dst=r7; next=@5
rc=r3; q.update.flags map=4 key=stack[0+0] val=stack:0 dst=r8; next=@6
rc=r3; q.update.flags map=5 key=stack[0+0] val=stack:0 dst=r9; next=@7
ra=r4 rb=r5; st pkt[0+8] s0=ra:4@0.swap s1=rb:4@4.swap; next=@8
ra=r6 rb=r7; st pkt[0+16] s0=ra:4@0.swap s1=rb:4@4.swap; next=@9
ra=r8 rb=r9; st pkt[0+24] s0=ra:4@0.swap s1=rb:4@4.swap; next=pass
--
0: pass; 10 words, 10 slots; dispatch +1, exit +245, departure +2
   0300000000000000ffffffeaffffffeaffffffeaffffffeaffffffeaffffffea(16)
1: pass; 10 words, 10 slots; dispatch +1, exit +245, departure +2
   0400000000000000ffffffeaffffffeaffffffeaffffffeaffffffeaffffffea(16)
2: pass; 10 words, 10 slots; dispatch +1, exit +245, departure +2
   0500000000000000ffffffefffffffefffffffeaffffffeaffffffeaffffffea(16)
3: pass; 10 words, 10 slots; dispatch +1, exit +245, departure +2
   0800000000000000ffffffeaffffffeaffffffeaffffffeaffffffeaffffffea(16)

== an entry that goes while an update waits for its lock: the update begins again
# map h hash 1 16 2
# entry h 00 00000000000000000000000000000000
# lock h 0
# mode any
# together
# packet 00 *40
# packet 01 *40
# packet 02 *40
// 0: holds the lock for a while; 1: updates under the lock; 2: deletes
ld pkt[0+0] x0=1@0; q.lookup map=0 key=stack[0+0] dst=r2 null; r5=x0; t2=drop next=@1
rb=r5; c1=eq.64 rb,i0; i0=1; c2=eq.64 rb,i1; i1=2; t1=@6 t2=@7 next=@2
rc=r2; q.spin.lock val=rc dst=r3; next=@3
rb=1; next=@4
rb=1; next=@5
rc=r2; q.spin.unlock val=rc dst=r3; next=pass
rc=4; q.update.flags map=0 key=stack[0+0] val=pkt:0 dst=r5; next=@8
q.delete map=0 key=stack[0+0] dst=r5; next=@8
ra=r5; st pkt[0+16] s0=ra:8@0.swap; next=pass
--
2: pass; 4 words, 4 slots; dispatch +3, exit +131, departure +2
0: pass; 6 words, 6 slots; dispatch +1, exit +180, departure +1
1: pass; 4 words, 4 slots; dispatch +2, exit +198, departure +2
h 00 = (16)

== the lowest bits of a map pointer are the flags of an update in its map
# map o array_of_maps 4 4 1
# map i array 4 8 1
# link o 0 1
# packet 00 *40
# packet 01 *40
# packet 03 *40
ld pkt[0+0] x0=1@0; q.lookup map=0 key=stack[0+0] dst=r2 null; r3=x0; t2=drop next=@1
ra=r2 rb=r3; a1=or.64 ra,rb; r4=a1; next=@2
rc=r4; q.update_in.flags map=0 key=stack[0+0] val=pkt:0 dst=r5; next=@3
ra=r5; st pkt[0+16] s0=ra:8@0.swap; next=pass
--
0: pass; 4 words, 4 slots; dispatch +1, exit +116, departure +2
1: pass; 4 words, 4 slots; dispatch +1, exit +116, departure +2
   01(15)ffffffffffffffef(16)
2: pass; 4 words, 4 slots; dispatch +1, exit +116, departure +2
   03(15)ffffffffffffffea(16)
o 00000000 = 01000000

== what printk.text keeps goes with the next line, with a zero behind each text
# map a array 4 8 1
# packet 2564202573006869 *40
ld pkt[0+0] x0=8@0; st stack[0+0] s0=x0:8@0; q.printk.text key=pkt[0+6] val=pkt:i0 dst=r1; i0=2; next=@1
q.lookup map=0 key=stack[0+100] dst=r2 null; t2=drop next=@2
ra=r2; q.printk.text key=map[ra+0] val=pkt:i0 dst=r3; i0=3; next=@3
q.printk.text key=stack[0+0] val=pkt:0 dst=r4; next=@4
ra=r1 rb=r3; st scr[0+232] s0=ra:8@0 s1=rb:8@8; next=@5
ra=r4; st scr[0+248] s0=ra:8@0; q.printk key=stack[0+0] val=pkt:i0 dst=r5; i0=6; next=@6
q.printk key=stack[0+0] val=pkt:i0 dst=r5; i0=3; next=pass
--
0: pass; 7 words, 7 slots; dispatch +1, exit +176, departure +1
   printk 2564202573006869000000000000 [0, 3, 7]
   printk 256420 [0, 3, 7]
