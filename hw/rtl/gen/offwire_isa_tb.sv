// Generated from hw/spec by `cargo xtask codegen`; do not edit.

// Reads vectors, writes what the package makes of them; the tests of crate offwire-isa compare with Rust.
module offwire_isa_tb;
  int in_file;
  int out_file;
  string in_name;
  string out_name;
  logic [287:0] raw;
  logic [4:0] op;
  logic [63:0] a;
  logic [63:0] b;
  logic [127:0] window;
  logic [3:0] delta;
  logic [3:0] size;
  logic swap;
  offwire_isa_pkg::word_t word;

  initial begin
    if (!$value$plusargs("in=%s", in_name) || !$value$plusargs("out=%s", out_name)) begin
      $fatal(1, "+in=FILE +out=FILE");
    end
    in_file = $fopen(in_name, "r");
    out_file = $fopen(out_name, "w");
    if (in_file == 0 || out_file == 0) begin
      $fatal(1, "cannot open files");
    end
    while ($fscanf(in_file, "%h %h %h %h %h %h %h %h", raw, op, a, b, window, delta, size, swap) == 8) begin
      word = raw;
      $fwrite(out_file, "%h", offwire_isa_pkg::word_valid(raw));
      $fwrite(out_file, " %h", offwire_isa_pkg::alu(offwire_isa_pkg::alu_op_e'(op), 1'b1, a, b));
      $fwrite(out_file, " %h", offwire_isa_pkg::alu(offwire_isa_pkg::alu_op_e'(op), 1'b0, a, b));
      $fwrite(out_file, " %h", offwire_isa_pkg::cmp(offwire_isa_pkg::cmp_op_e'(op[3:0]), 1'b1, a, b));
      $fwrite(out_file, " %h", offwire_isa_pkg::cmp(offwire_isa_pkg::cmp_op_e'(op[3:0]), 1'b0, a, b));
      $fwrite(out_file, " %h", offwire_isa_pkg::extract(window, delta, size, swap));
      $fwrite(out_file, " %h", offwire_isa_pkg::insert(window, a, delta, size, swap));
      $fwrite(out_file, " %h", word.ra);
      $fwrite(out_file, " %h", word.rb);
      $fwrite(out_file, " %h", word.rc);
      $fwrite(out_file, " %h", word.g_en);
      $fwrite(out_file, " %h", word.g_base);
      $fwrite(out_file, " %h", word.g_len);
      $fwrite(out_file, " %h", word.ld_space);
      $fwrite(out_file, " %h", word.ld_base);
      $fwrite(out_file, " %h", word.ld_off);
      $fwrite(out_file, " %h", word.ld_dismiss);
      $fwrite(out_file, " %h", word.x0_delta);
      $fwrite(out_file, " %h", word.x0_size);
      $fwrite(out_file, " %h", word.x0_swap);
      $fwrite(out_file, " %h", word.x1_delta);
      $fwrite(out_file, " %h", word.x1_size);
      $fwrite(out_file, " %h", word.x1_swap);
      $fwrite(out_file, " %h", word.a1_op);
      $fwrite(out_file, " %h", word.a1_w);
      $fwrite(out_file, " %h", word.a1_a);
      $fwrite(out_file, " %h", word.a1_b);
      $fwrite(out_file, " %h", word.a2_op);
      $fwrite(out_file, " %h", word.a2_w);
      $fwrite(out_file, " %h", word.a2_a);
      $fwrite(out_file, " %h", word.a2_b);
      $fwrite(out_file, " %h", word.c1_op);
      $fwrite(out_file, " %h", word.c1_w);
      $fwrite(out_file, " %h", word.c1_a);
      $fwrite(out_file, " %h", word.c1_b);
      $fwrite(out_file, " %h", word.c2_op);
      $fwrite(out_file, " %h", word.c2_w);
      $fwrite(out_file, " %h", word.c2_a);
      $fwrite(out_file, " %h", word.c2_b);
      $fwrite(out_file, " %h", word.st_op);
      $fwrite(out_file, " %h", word.st_space);
      $fwrite(out_file, " %h", word.st_base);
      $fwrite(out_file, " %h", word.st_off);
      $fwrite(out_file, " %h", word.st_kill1);
      $fwrite(out_file, " %h", word.st_kill2);
      $fwrite(out_file, " %h", word.s0_delta);
      $fwrite(out_file, " %h", word.s0_size);
      $fwrite(out_file, " %h", word.s0_src);
      $fwrite(out_file, " %h", word.s0_swap);
      $fwrite(out_file, " %h", word.s1_delta);
      $fwrite(out_file, " %h", word.s1_size);
      $fwrite(out_file, " %h", word.s1_src);
      $fwrite(out_file, " %h", word.s1_swap);
      $fwrite(out_file, " %h", word.w0_src);
      $fwrite(out_file, " %h", word.w0_reg);
      $fwrite(out_file, " %h", word.w1_src);
      $fwrite(out_file, " %h", word.w1_reg);
      $fwrite(out_file, " %h", word.i0);
      $fwrite(out_file, " %h", word.i1);
      $fwrite(out_file, " %h", word.q_op);
      $fwrite(out_file, " %h", word.q_map);
      $fwrite(out_file, " %h", word.q_kspace);
      $fwrite(out_file, " %h", word.q_kbase);
      $fwrite(out_file, " %h", word.q_koff);
      $fwrite(out_file, " %h", word.q_vspace);
      $fwrite(out_file, " %h", word.q_vsrc);
      $fwrite(out_file, " %h", word.q_dst);
      $fwrite(out_file, " %h", word.q_null);
      $fwrite(out_file, " %h", word.t1);
      $fwrite(out_file, " %h", word.t2);
      $fwrite(out_file, " %h", word.next);
      $fwrite(out_file, " %h", word.spare);
      $fwrite(out_file, "\n");
    end
    $fclose(in_file);
    $fclose(out_file);
    $finish;
  end
endmodule
