package sqlite

import (
	"context"
	"database/sql"

	"github.com/penstock-io/penstock/internal/warehouses"
)

var clusterTable = newEntity("cluster", 1, []column[warehouses.Cluster]{
	{"identifier", func(v *warehouses.Cluster) any { return &v.Identifier }},
	{"warehouse_id", func(v *warehouses.Cluster) any { return &v.WarehouseID }},
	{"node_type", func(v *warehouses.Cluster) any { return &v.NodeType }},
	{"number_of_nodes", func(v *warehouses.Cluster) any { return &v.NumberOfNodes }},
	{"master_username", func(v *warehouses.Cluster) any { return &v.MasterUsername }},
	{"master_password", func(v *warehouses.Cluster) any { return &v.MasterPassword }},
	{"manage_password", func(v *warehouses.Cluster) any { return &v.ManagePassword }},
	{"first_database", func(v *warehouses.Cluster) any { return &v.Database }},
	{"port", func(v *warehouses.Cluster) any { return &v.Port }},
	{"encrypted", func(v *warehouses.Cluster) any { return &v.Encrypted }},
	{"kms_key_id", func(v *warehouses.Cluster) any { return &v.KMSKeyID }},
	{"publicly_accessible", func(v *warehouses.Cluster) any { return &v.PubliclyAccessible }},
	{"allow_version_upgrade", func(v *warehouses.Cluster) any { return &v.AllowVersionUpgrade }},
	{"enhanced_vpc_routing", func(v *warehouses.Cluster) any { return &v.EnhancedVPCRouting }},
	{"multi_az", func(v *warehouses.Cluster) any { return &v.MultiAZ }},
	{"version", func(v *warehouses.Cluster) any { return &v.Version }},
	{"availability_zone", func(v *warehouses.Cluster) any { return &v.AvailabilityZone }},
	{"maintenance_window", func(v *warehouses.Cluster) any { return &v.MaintenanceWindow }},
	{"maintenance_track", func(v *warehouses.Cluster) any { return &v.MaintenanceTrack }},
	{"subnet_group", func(v *warehouses.Cluster) any { return &v.SubnetGroup }},
	{"parameter_group", func(v *warehouses.Cluster) any { return &v.ParameterGroup }},
	{"ip_address_type", func(v *warehouses.Cluster) any { return &v.IPAddressType }},
	{"default_iam_role", func(v *warehouses.Cluster) any { return &v.DefaultIAMRole }},
	{"aqua_status", func(v *warehouses.Cluster) any { return &v.AquaStatus }},
	{"snapshot_retention", func(v *warehouses.Cluster) any { return &v.SnapshotRetention }},
	{"manual_snapshot_retention", func(v *warehouses.Cluster) any { return &v.ManualSnapshotRetention }},
	{"security_groups", func(v *warehouses.Cluster) any { return &v.SecurityGroups }},
	{"vpc_security_groups", func(v *warehouses.Cluster) any { return &v.VPCSecurityGroups }},
	{"iam_roles", func(v *warehouses.Cluster) any { return &v.IAMRoles }},
	{"tags", func(v *warehouses.Cluster) any { return &v.Tags }},
	{"created", func(v *warehouses.Cluster) any { return &v.Created }},
})

var partnerTable = newEntity("partner", 3, []column[warehouses.Partner]{
	{"cluster", func(v *warehouses.Partner) any { return &v.Cluster }},
	{"database", func(v *warehouses.Partner) any { return &v.Database }},
	{"name", func(v *warehouses.Partner) any { return &v.Name }},
	{"status", func(v *warehouses.Partner) any { return &v.Status }},
	{"status_message", func(v *warehouses.Partner) any { return &v.StatusMessage }},
	{"created", func(v *warehouses.Partner) any { return &v.Created }},
	{"updated", func(v *warehouses.Partner) any { return &v.Updated }},
})

func insertCluster(ctx context.Context, t *sql.Tx, c *warehouses.Cluster) error {
	err := free(ctx, t, warehouses.SubjectCluster, c.Identifier, "SELECT 1 FROM cluster WHERE identifier = ?")
	if err == nil {
		_, err = clusterTable.insert(ctx, t, c)
	}
	return err
}

func getCluster(ctx context.Context, t *sql.Tx, identifier string) (warehouses.Cluster, error) {
	return clusterTable.get(ctx, t, missing(warehouses.SubjectCluster, identifier), "WHERE identifier = ?", identifier)
}

// ClusterGet implements warehouses.ClusterStore.
func (s *Warehouses) ClusterGet(ctx context.Context, identifier string) (c warehouses.Cluster, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		c, err = getCluster(ctx, t, identifier)
		return err
	})
	return c, err
}

// ClusterList implements warehouses.ClusterStore.
func (s *Warehouses) ClusterList(ctx context.Context) (list []warehouses.Cluster, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		list, err = clusterTable.list(ctx, t, "ORDER BY identifier")
		return err
	})
	return list, err
}

// ClusterUpdate implements warehouses.ClusterStore.
func (s *Warehouses) ClusterUpdate(ctx context.Context, identifier string, change func(*warehouses.Cluster) error) (c warehouses.Cluster, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		old, err := getCluster(ctx, t, identifier)
		if err != nil {
			return err
		}
		c = old
		if err := change(&c); err != nil {
			return err
		}
		c.WarehouseID, c.Created = old.WarehouseID, old.Created
		if c.Identifier != old.Identifier {
			if err := free(ctx, t, warehouses.SubjectCluster, c.Identifier, "SELECT 1 FROM cluster WHERE identifier = ?"); err != nil {
				return err
			}
		}
		return clusterTable.update(ctx, t, &old, &c) // its partners follow by their foreign key
	}, nil)
	return c, err
}

// PartnerPut implements warehouses.PartnerStore.
func (s *Warehouses) PartnerPut(ctx context.Context, p warehouses.Partner) (warehouses.Partner, error) {
	err := s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		if _, err := getCluster(ctx, t, p.Cluster); err != nil {
			return err
		}
		old, err := getPartner(ctx, t, p.Key())
		switch {
		case err == nil:
			p.Created = old.Created
			return partnerTable.update(ctx, t, &old, &p)
		case isMissing(err):
			_, err = partnerTable.insert(ctx, t, &p)
		}
		return err
	}, nil)
	if err != nil {
		return warehouses.Partner{}, err
	}
	return p, nil
}

func getPartner(ctx context.Context, t *sql.Tx, key warehouses.PartnerKey) (warehouses.Partner, error) {
	return partnerTable.get(ctx, t, noPartner(key), "WHERE cluster = ? AND database = ? AND name = ?", key.Cluster, key.Database, key.Name)
}

// PartnerList implements warehouses.PartnerStore.
func (s *Warehouses) PartnerList(ctx context.Context, cluster string) (list []warehouses.Partner, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		list, err = partnerTable.list(ctx, t, "WHERE cluster = ? ORDER BY database, name", cluster)
		return err
	})
	return list, err
}

// PartnerUpdate implements warehouses.PartnerStore.
func (s *Warehouses) PartnerUpdate(ctx context.Context, key warehouses.PartnerKey, change func(*warehouses.Partner) error) (p warehouses.Partner, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		old, err := getPartner(ctx, t, key)
		if err != nil {
			return err
		}
		p = old
		if err := change(&p); err != nil {
			return err
		}
		p.Cluster, p.Database, p.Name, p.Created = old.Cluster, old.Database, old.Name, old.Created
		return partnerTable.update(ctx, t, &old, &p)
	}, nil)
	return p, err
}

// PartnerDelete implements warehouses.PartnerStore.
func (s *Warehouses) PartnerDelete(ctx context.Context, key warehouses.PartnerKey) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		return deleteOne(ctx, t, noPartner(key), "DELETE FROM partner WHERE cluster = ? AND database = ? AND name = ?", key.Cluster, key.Database, key.Name)
	}, nil)
}
