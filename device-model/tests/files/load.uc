// Loads: extracts, byte order, bounds, dismissal; constants and immediates. Results go into the packet.

== two extracts, one reversed, one not
# packet 000102030405060708090a0b0c0d0e0f1011 *32
ld pkt[0+2] x0=4@1.swap x1=6@4; st pkt[0+16] s0=x0:8@0 s1=x1:8@8; next=pass
--
0: pass; 1 words, 1 slots; dispatch +1, exit +41, departure +2
   000102030405060708090a0b0c0d0e0f0605040300000000060708090a0b0000

== up to the last byte, not beyond
# packet a0a1a2a3a4a5a6a7a8a9aaabacadaeaf
# packet a0a1a2a3a4a5a6a7a8a9aaabacad
ld pkt[0+8] x0=8@0 x1=1@7; st pkt[0+0] s0=x0:8@0.swap; next=@1
ld pkt[0+8] x0=1@7; st pkt[0+0] s0=x0:1@0; next=pass
--
0: pass; 2 words, 2 slots; dispatch +1, exit +57, departure +2
   afaeadacabaaa9a8a8a9aaabacadaeaf
1: aborted; 0 words, 1 slots; dispatch +1, exit +41, departure +1
   fault packet_bounds at 0

== a dismissible load reads 0 where it is out of bounds, and what is in bounds elsewhere
# packet a0a1a2a3a4a5a6a7a8a9aaabacadae
ra=-1; ld.dismiss pkt[0+8] x0=4@3 x1=2@6; st pkt[0+0] s0=x0:4@0 s1=x1:2@4; next=@1
ra=-4; ld.dismiss pkt[ra+0] x0=4@0 x1=2@4; st pkt[0+6] s0=x0:4@0 s1=x1:2@4; next=pass
--
0: pass; 2 words, 2 slots; dispatch +1, exit +57, departure +2
   abacadae000000000000abacacadae

== a base before the packet is out of bounds
# packet 00 *20
ra=-1; ld pkt[ra+0] x0=1@0; next=pass
--
0: aborted; 0 words, 1 slots; dispatch +1, exit +41, departure +1
   fault packet_bounds at 0

== address and delta add up before the check
# packet 00112233 *20
ra=-1; ld pkt[ra+0] x0=2@1; st pkt[0+8] s0=x0:2@0; next=pass
--
0: pass; 1 words, 1 slots; dispatch +1, exit +41, departure +2
   00112233000000000011(10)

== constants, immediates
# packet 00 *60
ra=31 rb=-16; i0=-2 i1=5; st pkt[0+0] s0=ra:8@0 s1=rb:8@8; next=@1
i0=-2 i1=5; st pkt[0+16] s0=i0:8@0 s1=iw:8@8; next=@2
i0=-2 i1=5; st pkt[0+32] s0=i1:4@0; next=pass
--
0: pass; 3 words, 3 slots; dispatch +1, exit +73, departure +2
   1f00000000000000f0fffffffffffffffefffffffffffffffeff05000000000005(27)

== stack, scratch and registers of a fresh packet are zero, whatever the last one left there
# packet ff *20
# packet 00 *40
ld pkt[0+0] x0=1@0; c1=eq.32 x0,i0; i0=255; t1=@1 next=@4
iw=-1; st stack[0+496] s0=iw:8@0 s1=iw:8@8; r2=iw r3=iw; next=@2
iw=-1; st scr[0+240] s0=iw:8@0 s1=iw:8@8; next=@3
iw=-1; st stack[0+1] s0=iw:1@0; next=pass
ra=r2 rb=r3; ld stack[0+496] x0=8@0 x1=8@8; st pkt[0+0] s0=x0:8@0 s1=x1:8@8; next=@5
ra=r2 rb=r3; ld stack[0+0] x0=8@0; a1=or.64 ra,rb; st pkt[0+16] s0=x0:8@0 s1=a1:8@8; next=@6
ld scr[0+240] x0=8@0 x1=8@8; st pkt[0+24] s0=x0:8@0 s1=x1:8@8; next=pass
--
0: pass; 4 words, 4 slots; dispatch +1, exit +89, departure +1
1: pass; 4 words, 4 slots; dispatch +1, exit +89, departure +2

== metadata: length, ifindex, queue, egress ifindex, vCPU
# packet 00 *70 ifindex 7 queue 3 vcpu 5
ld scr[0+0] x0=8@0 x1=4@8; st pkt[0+0] s0=x0:8@0 s1=x1:4@8; next=@1
ld scr[0+12] x0=4@0 x1=8@4; st pkt[0+12] s0=x0:4@0 s1=x1:8@4; next=@2
ld scr[0+24] x0=8@0 x1=8@8; st pkt[0+24] s0=x0:8@0 s1=x1:8@8; next=pass
--
0: pass; 3 words, 3 slots; dispatch +1, exit +74, departure +2
   460000000000000007000000030000000000000005(49)
