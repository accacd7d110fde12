-- The relations the golden cases know. They are read with this package's own parser.
CREATE TABLE public.t (
  id integer, value super, name varchar(20), amount decimal(12,2), big bigint, ts timestamp, d date, flag boolean
);
CREATE TABLE public."AgentTable" ("PK" varchar(2048), "SK" varchar(1024), "value" super, PRIMARY KEY ("PK", "SK"));
CREATE TABLE public.sales (saleid bigint, "value" super);
CREATE TABLE mydb.public."AgentTable" ("PK" varchar(2048), "value" super);
CREATE TABLE public.orders (order_id bigint, customer varchar(64), total numeric(12,2), created timestamp, status char(1));
CREATE TABLE public.customer_orders_lineitem (
  c_custkey bigint, c_name varchar, c_address varchar, c_nationkey smallint, c_phone varchar, c_acctbal decimal(12,2),
  c_mktsegment varchar, c_comment varchar, c_orders super
);
CREATE TABLE public.supplier_partsupp (s_suppkey bigint, s_name varchar, s_nationkey smallint, s_partsupps super);
CREATE TABLE public.region_nations (r_regionkey smallint, r_name varchar, r_comment varchar, r_nations super);
CREATE TABLE public.bar (data super);
CREATE TABLE public.foo (multi_level_array super);
CREATE TABLE public.ids (n bigint default nextval('"ids$n$identity$3"') not null, label varchar(10) default 'x');
CREATE TABLE public."information_schema.tables" (table_catalog varchar(128), table_schema varchar(128), table_name varchar(128));
CREATE TABLE public."pg_catalog.pg_class" (oid bigint, relname varchar(128));
CREATE TABLE public.svv_columns (table_name varchar(128));
