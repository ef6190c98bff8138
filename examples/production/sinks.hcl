sink "parquet" "lake" {
  path        = "${local.lake}/heap"
  compression = "zstd"
}

# What finance reads with a tool that knows no zstd.
sink "parquet" "finance" {
  path        = "${local.lake}/finance"
  compression = "snappy"
}
