source "local" {
  path = "./dumps"
}

sink "parquet" "lake" {
  path = "./lake"
}

table "*" {
  sinks        = [sink.parquet.lake]
  partition_by = [year(time), month(time), day(time)]
}

table "users" {
  sinks = [sink.parquet.lake]
}
