// Kinds of maps beyond arrays and plain hash maps: answers, kernel return codes, what is there afterwards.

== a per-CPU hash: a new entry has zeros for other vCPUs, an update changes the own copy
# map p percpu_hash 2 4 1
// update with the packet's bytes 4 to 7; the code goes to byte 8
# packet 0700000011111111 *20 vcpu 1
# packet 0700000022222222 *20 vcpu 2
# packet 0800000033333333 *20 vcpu 2
i0=4; q.update.any map=0 key=pkt[0+0] val=pkt:i0 dst=r2; next=@1
ra=r2; q.lookup map=0 key=pkt[0+0] dst=r3; st pkt[0+8] s0=ra:8@0; next=@2
ra=r3; st pkt[0+16] s0=ra:4@0.swap; next=pass
--
0: pass; 3 words, 3 slots; dispatch +1, exit +116, departure +2
   0700000011111111000000000000000001000000
1: pass; 3 words, 3 slots; dispatch +1, exit +116, departure +2
   0700000022222222000000000000000002000000
2: pass; 3 words, 3 slots; dispatch +1, exit +107, departure +2
   0800000033333333f9ffffffffffffff00000000
p 0700 cpu 1 = 11111111
p 0700 cpu 2 = 22222222

== a per-CPU hash: delete and insert again clears all copies
# map p percpu_hash 2 4 2
# entry p 0700 aabbccdd
# packet 0700000011111111 *20 vcpu 1
q.delete map=0 key=pkt[0+0] dst=r2; next=@1
i0=4; q.update.any map=0 key=pkt[0+0] val=pkt:i0 dst=r2; next=@2
q.update.noexist map=0 key=pkt[0+0] val=pkt:i0 dst=r3; next=@3
q.delete map=0 key=pkt[0+1] dst=r4; next=@4
ra=r3 rb=r4; st pkt[0+8] s0=ra:4@0 s1=rb:4@4; next=pass
--
0: pass; 5 words, 5 slots; dispatch +1, exit +174, departure +2
   0700000011111111effffffffeffffff00000000
p 0700 cpu 1 = 11111111

== a full LRU hash gives its oldest entry away, not one that was looked up
# map l lru_hash 1 4 2
# entry l 01 00000001
# entry l 02 00000002
// look 1 up, then insert 3: 2 goes; then insert 4: 1 has lost its mark and goes, 3 is younger
# packet 01030000 *20
# packet 03040000 *20
# packet 09050000 *20
q.lookup map=0 key=pkt[0+0] dst=r2; next=@1
q.update.any map=0 key=pkt[0+1] val=pkt:0 dst=r3; next=@2
q.update.exist map=0 key=stack[0+0] val=pkt:0 dst=r4; next=@3
ra=r3 rb=r4; st pkt[0+4] s0=ra:4@0 s1=rb:4@4; next=pass
--
0: pass; 4 words, 4 slots; dispatch +1, exit +151, departure +2
   0103000000000000feffffff0000000000000000
1: pass; 4 words, 4 slots; dispatch +1, exit +150, departure +2
   0304000000000000feffffff0000000000000000
2: pass; 4 words, 4 slots; dispatch +1, exit +143, departure +2
   0905000000000000feffffff0000000000000000
l 03 = 01030000
l 05 = 09050000

== a trie: the longest prefix, a longer prefix than there is data, full
# map t lpm_trie 8 4 3
# entry t 080000000a000000 00000008
# entry t 100000000a010000 00000010
# packet 200000000a010203 *24
# packet 200000000a020203 *24
# packet 200000000b010203 *24
# packet 0c0000000a010203 *24
# packet 210000000a010203 *24
q.lookup map=0 key=pkt[0+0] dst=r2; next=@1
i0=8; ra=r2; c1=eq.64 ra,0; q.update.any map=0 key=pkt[0+0] val=pkt:i0 dst=r3; t1=@3 next=@2
ra=r2 rb=r3; ld map[ra+0] x0=4@0; st pkt[0+8] s0=x0:4@0 s1=rb:4@4; next=pass
i0=8; q.update.any map=0 key=pkt[0+0] val=pkt:i0 dst=r3; next=@4
i0=8; q.delete map=0 key=pkt[0+0] dst=r4; next=@5
ra=r3 rb=r4; st pkt[0+12] s0=ra:4@0 s1=rb:4@4; next=drop
--
0: pass; 3 words, 4 slots; dispatch +1, exit +151, departure +2
   200000000a01020300000010(12)
1: pass; 3 words, 4 slots; dispatch +1, exit +150, departure +2
   200000000a02020300000008e4ffffff0000000000000000
2: drop; 5 words, 5 slots; dispatch +1, exit +156, departure +1
   200000000b01020300000000e4fffffffeffffff00000000
3: pass; 3 words, 4 slots; dispatch +1, exit +150, departure +2
   0c0000000a01020300000008e4ffffff0000000000000000
4: drop; 5 words, 5 slots; dispatch +1, exit +156, departure +1
   210000000a01020300000000eaffffffeaffffff00000000
t 080000000a000000 = 00000008
t 100000000a010000 = 00000010
t 200000000a010203 = 00000000

== a trie: replaced, deleted, flags
# map t lpm_trie 8 4 2
# entry t 080000000a000000 00000008
# packet 080000000affffff *28
q.update.noexist map=0 key=pkt[0+0] val=pkt:0 dst=r2; next=@1
i0=4; q.update.exist map=0 key=pkt[0+0] val=pkt:i0 dst=r3; next=@2
ra=r2 rb=r3; st pkt[0+8] s0=ra:4@0 s1=rb:4@4; next=@3
i0=0x20; st stack[0+0] s0=i0:4@0; q.update.exist map=0 key=stack[0+0] val=pkt:0 dst=r2; next=@4
q.delete map=0 key=stack[0+0] dst=r3; next=@5
ra=r2 rb=r3; st pkt[0+16] s0=ra:4@0 s1=rb:4@4; next=pass
--
0: pass; 6 words, 6 slots; dispatch +1, exit +190, departure +2
   080000000affffffefffffff00000000fefffffffeffffff00000000
t 080000000affffff = 0affffff

== device maps are read, and redirect
# map d devmap 4 8 3
# map h devmap_hash 4 4 3
# entry d 01000000 0500000000000000
# entry h 01000000 06000000
// byte 0: key, byte 1: flags
# packet 0100 *24
# packet 0000 *24
# packet 0002 *24
# packet 0909 *24
# packet 0104 *24
# packet 0120 *24
ld pkt[0+0] x0=1@0 x1=1@1; st stack[0+0] s0=x0:4@0; r2=x0; r3=x1; q.lookup map=0 key=stack[0+0] dst=r4 null; t2=@2 next=@1
ra=r4; ld map[ra+0] x0=8@0; st pkt[0+4] s0=x0:8@0; next=@2
ra=r2 rc=r3; q.redirect_map map=0 val=ra dst=r6; next=@3
ra=r2 rc=r3; q.redirect_map map=1 val=ra dst=r7; next=@4
rb=r6 rc=r7; st pkt[0+12] s0=rb:4@0 s1=rc:4@4; q.exit val=rc; next=drop
--
0: redirect; 5 words, 5 slots; dispatch +1, exit +164, departure +2
   redirect to entry 1 of map 1, flags 0
   010000000500000000000000040000000400000000000000
1: aborted; 4 words, 4 slots; dispatch +1, exit +140, departure +1
2: pass; 4 words, 4 slots; dispatch +1, exit +140, departure +2
   0002(10)020000000200000000000000
3: redirect; 4 words, 4 slots; dispatch +1, exit +126, departure +2
   redirect to entry 9 of map 1, flags 9
   0909(10)040000000400000000000000
4: aborted; 5 words, 5 slots; dispatch +1, exit +142, departure +1
   0104000005(19)
5: aborted; 5 words, 5 slots; dispatch +1, exit +142, departure +1
   0120000005(19)
d 01000000 = 0500000000000000
h 01000000 = 06000000

== a device map cannot be written
# map d devmap 4 4 3
# entry d 00000000 05000000
# packet 00 *24
q.lookup map=0 key=stack[0+0] dst=r4 null; t2=drop next=@1
ra=r4; st map[ra+0] s0=ra:4@0; next=pass
--
0: aborted; 1 words, 2 slots; dispatch +1, exit +74, departure +1
   fault read_only at 1
d 00000000 = 05000000

== tail calls: to a program with fresh registers and stack, to none, beyond the end
# map p prog_array 4 4 3
# program 4
# link p 1 0
# packet 00 *24
# packet 01 *24
# packet 02 *24
# packet 09 *24
ld pkt[0+0] x0=1@0; st stack[0+8] s0=x0:4@0; r2=x0; next=@1
ra=r2; q.tail_call map=0 val=ra; next=@2
i0=7; st pkt[0+4] s0=i0:1@0; next=pass
next=drop
ra=r2; ld stack[0+8] x0=4@0; st pkt[0+8] s0=x0:4@0 s1=ra:4@4; next=tx
--
0: pass; 3 words, 3 slots; dispatch +1, exit +90, departure +2
   0000000007(19)
1: tx; 3 words, 3 slots; dispatch +1, exit +90, departure +2
2: pass; 3 words, 3 slots; dispatch +1, exit +90, departure +2
   0200000007(19)
3: pass; 3 words, 3 slots; dispatch +1, exit +83, departure +2
   0900000007(19)
p 01000000 = 00000000

== a program that calls itself goes on after 33 times
# map p prog_array 4 4 1
# program 0
# link p 0 0
# packet 00 *24
ld pkt[0+0] x0=1@0; rb=1; a1=add.64 x0,rb; st pkt[0+0] s0=a1:1@0; q.tail_call map=0 val=0; next=pass
--
0: pass; 34 words, 34 slots; dispatch +1, exit +1147, departure +2
   22(23)
p 00000000 = 00000000

== maps in maps: lookup, update and delete in what is there
# map outer array_of_maps 4 4 2
# map table hash_of_maps 4 4 2
# map a hash 4 4 2
# map b hash 4 4 2
# link outer 0 2
# link table 7 3
# entry a 01000000 000000aa
# entry b 01000000 000000bb
// byte 0: key in outer, byte 4: key in table, byte 8: key in both
# packet 000000000700000001000000 *24
# packet 000000000700000002000000 *24
# packet 010000000800000001000000 *24
q.lookup map=0 key=pkt[0+0] dst=r2 null; t2=@2 next=@1
rc=r2; q.lookup_in key=pkt[0+8] dst=r4 null; t2=@2 next=@6
q.lookup map=1 key=pkt[0+4] dst=r3 null; t2=drop next=@3
rc=r3; q.update_in.noexist key=pkt[0+8] val=pkt:0 dst=r5; next=@4
rc=r3 ra=r5; st pkt[0+16] s0=ra:4@0; q.delete_in key=pkt[0+0] dst=r5; next=@5
ra=r5 rb=r3; st pkt[0+12] s0=ra:4@0 s1=rb:4@8.swap; next=pass
ra=r4; ld map[ra+0] x0=4@0; st pkt[0+12] s0=x0:4@0; next=@2
--
0: pass; 7 words, 7 slots; dispatch +1, exit +238, departure +2
   000000000700000001000000feffffffefffffff00000000
1: pass; 6 words, 6 slots; dispatch +1, exit +215, departure +2
   000000000700000002000000feffffff0000000000000000
2: drop; 2 words, 2 slots; dispatch +1, exit +91, departure +1
outer 00000000 = 02000000
table 07000000 = 03000000
a 01000000 = 000000aa
b 01000000 = 000000bb
b 02000000 = 00000000

== what is no map pointer
# map outer array_of_maps 4 4 2
# map a hash 4 4 2
# link outer 0 1
# packet 00 *24
q.lookup map=1 key=pkt[0+0] dst=r2; next=@1
rc=r2; q.lookup_in key=pkt[0+0] dst=r3; next=pass
--
0: aborted; 1 words, 2 slots; dispatch +1, exit +74, departure +1
   fault bad_handle at 1
outer 00000000 = 01000000
